"""The endpoints of what there is to choose from: types, prices, stock, images; and SSH keys."""

from __future__ import annotations

from .catalogue import IMAGES, TYPES, Image, compatible_types, types_in
from .context import Context, in_project
from .messages import Answer, Call, invalid_argument, invalid_request, not_found
from .records import Key, new_id
from .shapes import show_image, show_key, show_type

_ARCHS = {None, "x86_64", "arm64"}


def list_types(context: Context, call: Call) -> Answer:
    call.allow()
    return call.table_of_instance("servers", {name: show_type(entry) for name, entry in types_in(call.zone).items()})


def list_stock(context: Context, call: Call) -> Answer:
    call.allow()
    rows = {name: {"availability": _stock(context, name, call.zone)} for name in types_in(call.zone)}
    return call.table_of_instance("servers", rows)


def _stock(context: Context, commercial_type: str, zone: str) -> str:
    if context.faults.out_of_stock_shown and context.faults.is_out_of_stock(commercial_type, zone):
        return "shortage"
    return "scarce" if TYPES[commercial_type].scarce else "available"


def get_image(context: Context, call: Call) -> Answer:
    image = IMAGES.get(call.id)
    if image is None or image.zone != call.zone:
        raise not_found("instance_image", call.id)
    return Answer(body={"image": show_image(image)})


def list_local_images(context: Context, call: Call) -> Answer:
    call.allow("image_label", "image_id", "version_id", "zone", "type", "arch", "order_by")
    label, kind, zone = call.text("image_label"), call.text("type"), call.text("zone")
    if label is None:
        raise invalid_argument("image_label", "required", "one of image_id, version_id, image_label is needed")
    if kind not in {None, "instance_local", "instance_sbs"} or call.text("arch") not in _ARCHS:
        raise invalid_argument("type", "constraint", "unknown type or arch")
    known = [image for image in IMAGES.values() if image.label == label]
    if not known:
        raise not_found("MarketplaceImage", label)
    rows = [
        image
        for image in known
        if kind in {None, image.kind} and zone in {None, image.zone} and call.text("arch") in {None, image.arch}
    ]
    rows.sort(key=lambda image: image.kind, reverse=call.text("order_by") == "type_desc")
    return call.page_of_others("local_images", rows, _show_local_image)


def get_local_image(context: Context, call: Call) -> Answer:
    image = IMAGES.get(call.id)
    if image is None:
        raise not_found("LocalImage", call.id)
    return Answer(body=_show_local_image(image))


def _show_local_image(image: Image) -> dict[str, object]:
    return {
        "id": image.id,
        "arch": image.arch,
        "zone": image.zone,
        "label": image.label,
        "type": image.kind,
        "compatible_commercial_types": compatible_types(image),
    }


def create_key(context: Context, call: Call) -> Answer:
    fields = call.fields(("public_key",), ("name", "project_id"))
    project = context.check_project({"project_id": context.project, **fields}, "project_id")
    if not str(fields["public_key"]).startswith(("ssh-", "ecdsa-")):
        raise invalid_argument("public_key", "format", "not an SSH key")
    alive = [row for row in context.world.keys.values() if row.ended_s is None]
    context.check_quota("ssh_keys", len(alive))
    key = Key(
        id=new_id(),
        name=fields.get("name", ""),
        public_key=fields["public_key"],
        project=project,
        created_s=context.now_s,
        modified_s=context.now_s,
    )
    context.world.keys[key.id] = key
    return Answer(body=show_key(key))


def list_keys(context: Context, call: Call) -> Answer:
    call.allow("name", "project_id", "order_by", "disabled")
    rows = [
        row
        for row in context.listed(context.world.keys.values())
        if in_project(row, call, "project_id") and (call.text("name") or "") in row.name
    ]
    return call.page_of_others("ssh_keys", rows, show_key)


def find_key(context: Context, call: Call) -> Key:
    return context.find(context.world.keys, "ssh_key", call.id)


def get_key(context: Context, call: Call) -> Answer:
    return Answer(body=show_key(find_key(context, call)))


def change_key(context: Context, call: Call) -> Answer:
    key = find_key(context, call)
    fields = call.fields((), ("name", "disabled"))
    if not isinstance(fields.get("disabled", False), bool):
        raise invalid_request("disabled must be a bool")
    key.name, key.disabled = fields.get("name", key.name), fields.get("disabled", key.disabled)
    key.modified_s = context.now_s
    return Answer(body=show_key(key))


def delete_key(context: Context, call: Call) -> Answer:
    find_key(context, call).ended_s = context.now_s
    return Answer(status=204)

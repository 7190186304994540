"""The endpoints about the server itself and what it is busy with: identity, sessions, activities, butler."""

from __future__ import annotations

import time

from .context import Context
from .messages import Reply, Request, html_error, show
from .preferences import FACTS
from .render import Dual, Node, Value, container
from .state import Activity, Session

PASS_FEATURES = frozenset({"pass", "session_kick"})
ELEMENTS = {"track": "Track", "photo": "Photo"}


def identity(context: Context, request: Request) -> Reply:
    """Who this is, from memory and without a token."""
    return show(
        request,
        container(
            apiVersion="1.2.3",
            claimed=bool(context.preferences.token),
            machineIdentifier=context.preferences.machine_identifier,
            version=context.switches.version,
        ),
    )


def root(context: Context, request: Request) -> Reply:
    """The server's capabilities."""
    facts = FACTS["root"]
    features = facts["ownerFeatures"].split(",")
    has_pass = context.switches.plex_pass
    attributes: dict[str, Value] = facts | {
        "allowMediaDeletion": bool(context.preferences.value("allowMediaDeletion")),
        "friendlyName": context.preferences.value("FriendlyName"),
        "machineIdentifier": context.preferences.machine_identifier,
        "myPlex": bool(context.preferences.token),
        "myPlexSubscription": has_pass,
        "myPlexUsername": context.preferences.attributes.get("PlexOnlineMail", ""),
        "ownerFeatures": ",".join(name for name in features if has_pass or name not in PASS_FEATURES),
        "transcoderActiveVideoSessions": sum(session.transcoding for session in context.playing()),
        "updatedAt": int(time.time()),
        "version": context.switches.version,
    }
    folders = [Node("Directory", {"count": count, "key": key, "title": key}) for key, count in FACTS["rootDirectories"]]
    return show(request, container(*folders, **attributes))


def sign_out(context: Context, request: Request) -> Reply:
    """Belong to nobody from now on."""
    context.preferences.sign_out()
    return Reply()


def accounts(context: Context, request: Request) -> Reply:
    """The system row and the owner."""
    names = {0: "", 1: context.preferences.attributes.get("PlexOnlineUsername", "")}
    rows = [
        Node(
            "Account",
            {
                "id": number,
                "key": f"/accounts/{number}",
                "name": name,
                "defaultAudioLanguage": "en",
                "autoSelectAudio": True,
                "defaultSubtitleLanguage": "en",
                "subtitleMode": 1,
                "thumb": "",
            },
        )
        for number, name in names.items()
    ]
    return show(request, container(*rows, identifier="com.plexapp.system.accounts"))


def sessions(context: Context, request: Request) -> Reply:
    """Who is watching."""
    return show(request, container(*map(session_node, context.playing())))


def session_node(session: Session) -> Node:
    """Return one playing item."""
    attributes: dict[str, Value | Dual] = {
        "duration": session.duration_ms,
        "key": f"/library/metadata/{session.rating_key}",
        "librarySectionID": session.section,
        "ratingKey": session.rating_key,
        "sessionKey": session.session_key,
        "title": session.title,
        "type": session.type,
        "viewOffset": session.view_offset_ms,
    }
    if session.grandparent_title:
        attributes["grandparentTitle"] = session.grandparent_title
    if session.live:
        attributes["live"] = True
    player: dict[str, Value] = {
        "address": session.address,
        "machineIdentifier": session.client,
        "platform": session.platform,
        "product": session.product,
        "state": session.state,
        "title": session.player,
        "local": session.location == "lan",
        "relayed": False,
        "secure": True,
        "userID": session.user_id,
    }
    children = [Node("User", {"id": str(session.user_id), "title": session.user}), Node("Player", player)]
    if session.id:
        stream: dict[str, Value] = {"id": session.id, "bandwidth": session.bandwidth_kbps, "location": session.location}
        children.append(Node("Session", stream))
    if session.transcoding:
        children.append(transcode_node(session, key=f"/transcode/sessions/{session.id}"))
    return Node(ELEMENTS.get(session.type, "Video"), attributes, tuple(children))


def transcode_node(session: Session, *, key: str) -> Node:
    """Return a conversion that is going on."""
    return Node(
        "TranscodeSession",
        {
            "key": key,
            "throttled": False,
            "complete": False,
            "progress": 1.3,
            "speed": 6.4,
            "error": False,
            "duration": session.duration_ms,
            "context": "streaming",
            "videoDecision": "transcode",
            "audioDecision": "transcode",
            "protocol": "dash",
            "container": "mp4",
        },
    )


def transcode_sessions(context: Context, request: Request) -> Reply:
    """What is being converted."""
    converting = [session for session in context.playing() if session.transcoding]
    return show(request, container(*(transcode_node(session, key=session.id) for session in converting)))


def terminate(context: Context, request: Request) -> Reply:
    """End somebody's session: a Plex Pass feature."""
    if not context.switches.plex_pass:
        return html_error(401)
    identifier = request.parameter("sessionId")
    if not identifier:
        return html_error(403)
    session = next((session for session in context.playing() if session.id == identifier), None)
    if session is None:
        return html_error(404)
    context.sessions.terminate(session, request.parameter("reason"))
    return Reply()


def timeline(context: Context, request: Request) -> Reply:
    """A player's report; the answer tells it when the owner has ended its session."""
    reason = context.sessions.termination_reason(request.parameter("X-Plex-Client-Identifier"))
    if reason is None:
        return show(request, container())
    # The numbers are not published; 2006 stands in sample answers.
    return show(request, container(terminationCode=2006, terminationText=reason))


def activities(context: Context, request: Request) -> Reply:
    """What the server is doing."""
    return show(request, container(*map(activity_node, context.busy_with())))


def activity_node(activity: Activity) -> Node:
    """Return one activity."""
    attributes: dict[str, Value | Dual] = {
        "uuid": activity.uuid,
        "type": activity.type,
        "cancellable": activity.cancellable,
        "userID": activity.user_id,
        "title": activity.title,
        "subtitle": activity.subtitle,
        "progress": activity.progress,
    }
    place = {"key": activity.key, "librarySectionID": activity.section}
    known = {name: value for name, value in place.items() if value}
    return Node("Activity", attributes, (Node("Context", known),) if known else ())


def cancel_activity(context: Context, request: Request, identifier: str) -> Reply:
    """Cancel an activity, if it can be."""
    activity = next((activity for activity in context.busy_with() if activity.uuid == identifier), None)
    if activity is None:
        return html_error(404)
    if not activity.cancellable:
        return html_error(400)
    if activity.type == "library.update.section":
        # It is listed until it ends, if it does.
        if activity.section:
            context.scanner.cancel(int(activity.section))
        return Reply()
    context.activities.remove(identifier)
    return Reply()


def report_progress(context: Context, request: Request, identifier: str) -> Reply:
    """Take what a child process such as the scanner tells about its work."""
    return Reply() if context.activities.find(identifier) else html_error(404)


def butler(context: Context, request: Request) -> Reply:
    """The scheduled tasks."""
    tasks = [
        Node(
            "ButlerTask",
            {
                "name": name,
                "interval": interval,
                "scheduleRandomized": randomized,
                "enabled": enabled,
                "title": name,
                "description": name,
            },
        )
        for name, interval, randomized, enabled in FACTS["butlerTasks"]
    ]
    return show(request, Node("ButlerTasks", {}, tuple(tasks)))


def butler_names(*, only_enabled: bool = False) -> list[str]:
    """Return the names of the tasks there are."""
    return [name for name, _, _, enabled in FACTS["butlerTasks"] if enabled or not only_enabled]


def start_butler(context: Context, request: Request) -> Reply:
    """Start everything that is enabled."""
    for name in butler_names(only_enabled=True):
        context.butler.start(name, duration_s=context.switches.butler_s)
    return Reply()


def stop_butler(context: Context, request: Request) -> Reply:
    """Stop everything that runs."""
    for name in context.butler.running():
        context.butler.stop(name)
    return Reply()


def start_task(context: Context, request: Request, name: str) -> Reply:
    """Start one task: 202 tells that it runs already."""
    if name not in butler_names():
        return html_error(404)
    return Reply(status=200 if context.butler.start(name, duration_s=context.switches.butler_s) else 202)


def stop_task(context: Context, request: Request, name: str) -> Reply:
    """Stop one task."""
    return Reply() if context.butler.stop(name) else html_error(404)

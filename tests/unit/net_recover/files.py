"""A network that consists of what files say."""

from collections.abc import Callable, Sequence

from plexguard.net_recover.network import Answer, Reply, Target


class FilesNetwork:
    """files: content by path. answering: addresses that answer, by all methods or by those named, as "address method"."""

    def __init__(self, files: dict[str, str], *, answering: Sequence[str] = (), replies: dict[str, Reply] | None = None) -> None:
        self.files = files
        self.answering = set(answering)
        self.replies = replies or {}
        self.asked: list[tuple[str, ...]] = []
        self.ask_takes: Callable[[], None] = lambda: None

    @classmethod
    def with_link(
        cls,
        name: str,
        *,
        flags: str = "0x1003",
        carrier: str = "1",
        type_number: str = "1",
        devtype: str = "",
        real: bool = False,
    ) -> "FilesNetwork":
        folder = f"/sys/class/net/{name}"
        files = {
            f"{folder}/flags": flags + "\n",
            f"{folder}/carrier": carrier and carrier + "\n",
            f"{folder}/ifindex": "2\n",
            f"{folder}/type": type_number + "\n",
            f"{folder}/uevent": (f"DEVTYPE={devtype}\n" if devtype else "") + f"INTERFACE={name}\nIFINDEX=2\n",
        }
        return cls(files | ({f"{folder}/device/uevent": "DRIVER=e1000e\n"} if real else {}))

    def ask(self, targets: Sequence[Target], *, timeout_s: float, whole: bool) -> tuple[Answer, ...]:
        assert timeout_s > 0
        self.ask_takes()
        self.asked.append(tuple(f"{target.address} {target.method}" for target in targets))
        return tuple(self._answer(target) for target in targets)

    def _answer(self, target: Target) -> Answer:
        names = (target.address, f"{target.address} {target.method}")
        if self.answering & set(names):
            return Answer(target=target, reply=Reply.ANSWERED, seconds=0.012)
        return Answer(target=target, reply=next((self.replies[n] for n in (*names, "*") if n in self.replies), Reply.SILENT))

    def read(self, path: str) -> str:
        return self.files.get(path, "")

    def interfaces(self) -> tuple[str, ...]:
        return tuple(sorted({path.split("/")[4] for path in self.files if path.startswith("/sys/class/net/")}))

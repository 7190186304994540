"""Where everything of a run is on its machine: a folder for its lease, with Plex's data and the suite that was brought. Pure."""

from dataclasses import dataclass

from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.server.container import config_folder, data_folder


@dataclass(frozen=True, slots=True)
class Place:
    """label: of the lease."""

    label: Label

    @property
    def folder(self) -> str:
        return data_folder(self.label)

    @property
    def data(self) -> str:
        """Plex's folder, as the container has it below /config."""
        return f"{config_folder(self.label)}/Library/Application Support/Plex Media Server"

    @property
    def databases(self) -> str:
        return f"{self.data}/Plug-in Support/Databases"

    @property
    def library(self) -> str:
        return f"{self.databases}/com.plexapp.plugins.library.db"

    @property
    def preferences(self) -> str:
        return f"{self.data}/Preferences.xml"

    @property
    def suite(self) -> str:
        return f"{self.folder}/plexguard.pyz"

    def program(self, name: str) -> tuple[str, ...]:
        """Return the command of a program of the suite there."""
        return ("/usr/bin/python3", self.suite, name)

    @property
    def job_units(self) -> str:
        """The units of all jobs of this lease, as a pattern."""
        return f"plexguard-job-{self.job('*')}.service"

    def job(self, what: str) -> str:
        """Return the name of a job of this lease (jobs.py): one that was left by an earlier run has another."""
        return f"{what}-{self.label.run}-{self.label.deadline:%Y%m%d%H%M%S}"

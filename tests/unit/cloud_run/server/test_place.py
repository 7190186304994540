"""Where everything of a run is on its machine."""

from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatch

from plexguard.cloud_run.server.place import Place
from plexguard.cloud_run.there.jobs import Job
from tests.fakes.ports import FakeHost
from tests.unit.cloud_run.samples import LABEL

PLACE = Place(LABEL)


def test_jobs_of_a_lease_are_ended_together_and_those_of_no_other():
    def unit(place: Place, task: str) -> str:
        return Job(host=FakeHost(), name=place.job(task)).unit

    later = Place(replace(LABEL, deadline=LABEL.deadline + timedelta(hours=1)))
    longer = Place(replace(LABEL, run="delta-2"))

    assert all(fnmatch(unit(PLACE, task), PLACE.job_units) for task in ("scan", "analyze", "restore"))
    assert not any(fnmatch(unit(place, "scan"), PLACE.job_units) for place in (later, longer))

"""The origin of the data and texts that the teacher of a distilled run read."""

from __future__ import annotations

from datetime import datetime

from recsys.experiment.finished import Run
from recsys.experiment.inputs import written_texts
from recsys.experiment.teacher import TEACHER, teacher_of
from recsys.schema import RecsysError
from recsys.serving.audit.written import written_origins
from recsys.tracking.audit_findings import IS_UNKNOWN, Finding
from recsys.tracking.origins import LEAKS, file_origins, of_teacher
from recsys.tracking.ranking_biases import ranking_biases


def teacher_origins(run: Run, test_begins: datetime | None) -> list[Finding]:
    """Findings about the teacher of a distilled run, whose leaks are passed on to the run; none for other runs.

    They are the findings about the teacher's files and its ranking. Both runs have the same split, and the findings of
    `origins` include the teacher's language model.

    Args:
        run: A finished run.
        test_begins: Time of the first test interaction; None if the data has no times.
    """
    if TEACHER not in run.record.contents:
        return []
    try:
        teacher = teacher_of(run.cfg)
        assert teacher is not None, "the record contains the teacher's identity"
        written = written_origins(written_texts(teacher.cfg), teacher.split)
    except RecsysError as error:
        return [Finding(LEAKS, "origin of the teacher's scores", IS_UNKNOWN, str(error))]
    found = [*file_origins(teacher.record, test_begins), *written, *ranking_biases(teacher.record)]
    return [of_teacher(each) for each in found]

"""The next step after a command that succeeded: a whole command behind `hint:`, which works as printed."""

from shlex import quote


def follow(ref: str) -> str:
    """Name the command that follows a job or a training run until it finishes."""
    return f"hint: relex status {ref} --follow"


def export(job_id: str) -> str:
    """Name the command that writes the predictions of a job."""
    return f"hint: relex export {job_id} --out outputs"


def export_for_review(job_id: str, folder: object) -> str:
    """Name the command that writes a workbook with the rows themselves beside their predictions."""
    return f"hint: relex export {job_id} --out {quote(str(folder))} --layout review --format xlsx"


def read_labels(review: object) -> str:
    """Name the command that reads the answers to a review back."""
    return f"hint: relex data labels {quote(str(review))} --out labeled.csv"


def status(job_id: str) -> str:
    """Name the command that shows the scores on the labeled rows of a job."""
    return f"hint: relex status {job_id}"


def retry_rows(job_id: str) -> str:
    """Name the command that scores again the rows that could not be scored."""
    return f"hint: relex retry {job_id} --rows"


def example(command: str) -> str:
    """Name a command line that has all that a command needs."""
    return f"hint: {command}"


def list_models() -> str:
    """Name the command that shows the scores of model versions, and which one is current."""
    return "hint: relex models"

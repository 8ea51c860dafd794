"""What a route takes as a file is uploaded, with the other fields of its form."""

import email

from ctxsim.cell.looking.attempts import CANARY, attempts
from ctxsim.cell.sights import Read, Route


def test_a_file_is_sent_with_the_fields_of_its_form():
    reads = (Read("form", "title"), Read("file", "document"), Read("json", "ignored"))
    step = attempts(Route("POST", "/in", reads), ())[0].step
    assert (step.form, step.has_json) == (None, False)
    content_type = dict(step.headers)["Content-Type"]
    message = email.message_from_string(f"Content-Type: {content_type}\r\n\r\n{step.body}")
    title, document = message.get_payload()
    assert title.get_param("name", header="Content-Disposition") == "title"
    assert title.get_payload() == CANARY
    assert document.get_param("name", header="Content-Disposition") == "document"
    assert (document.get_filename(), document.get_payload()) == (f"{CANARY}.txt", CANARY)


def test_a_file_is_also_sent_under_a_name_that_all_files_have():
    """What is kept under the name alone is another's, where two have one."""
    reads = (Read("form", "title"), Read("file", "document"))
    tried = attempts(Route("POST", "/in", reads), ())
    [alike] = [each.step for each in tried if each.variant == "same"]
    assert 'filename="document.txt"' in (alike.body or "")
    assert alike.body.count(CANARY) == 2

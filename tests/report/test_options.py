"""What a scenario's key would be is told as the option of a command that has no scenario."""

import pytest

from ctxsim.report.options import as_options


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('write keeps: ["shop.cache:KEPT"]', "write --keeps shop.cache:KEPT"),
        ('write shared: ["/a b"]', "write --shared '/a b'"),
        ("add a folder with target.path", "add a folder with --path"),
        ("sent by no user; raise load.requests", "sent by no user; raise --requests or --budget"),
        ("shared: nothing.of:that", "shared: nothing.of:that"),
    ],
)
def test_a_key_is_told_as_an_option(text, told):
    assert as_options(text) == told

"""Named checks; each prints one line `CHECK {"group", "sentence", "problem"}`."""

import json
import traceback

_checks = []


def check(group, sentence):
    def register(function):
        _checks.append((group, sentence, function))
        return function

    return register


def run_checks():
    for group, sentence, function in _checks:
        problem = None
        try:
            function()
        except Exception:
            problem = traceback.format_exc()
        print("CHECK " + json.dumps({"group": group, "sentence": sentence, "problem": problem}), flush=True)

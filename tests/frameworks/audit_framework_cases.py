# SPDX-License-Identifier: Apache-2.0
"""What the audits of frameworks' models share."""


def only(report, kind):
    """The one problem, which must be of this kind."""
    assert [problem.kind for problem in report.problems] == [kind], str(report)
    return report.problems[0]

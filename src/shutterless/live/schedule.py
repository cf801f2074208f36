"""A GitHub Actions workflow that looks at a deployment every week and opens an issue if something changed."""

import re
from pathlib import Path

from shutterless.deploy.options import check_name
from shutterless.errors import InputError, OutputError
from shutterless.files import atomic_file

WORKFLOW = Path(".github/workflows/drift.yml")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
# A path that neither a shell nor YAML reads as anything else.
BUNDLE = re.compile(r"(?!-)(?!.*\.\.)[A-Za-z0-9_./-]{1,200}")

TEMPLATE = """\
# Looks once a week at what the API of @NAME@ has seen, and opens an issue if something has changed.
# Written by: shutterless schedule @NAME@ --bundle @BUNDLE@
#
# Actions are pinned by the commit of a release, because a tag can be moved to other code.
name: Look for drift

on:
  schedule:
    - cron: "23 5 * * 1" # Mondays, 05:23 UTC
  workflow_dispatch:

# No job has more than it asks for below.
permissions: {}

concurrency:
  group: drift-@NAME@
  cancel-in-progress: false

jobs:
  drift:
    name: Collect and compare
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    environment: drift # the role's trust policy names it
    permissions:
      contents: read # to check out the bundle
      id-token: write # to prove to AWS which repository and environment this is
      issues: write # to open an issue
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          lfs: true
          persist-credentials: false
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with:
          python-version: "3.13"
      - run: pip install --require-hashes -r requirements.txt
      - uses: aws-actions/configure-aws-credentials@b47578312673ae6fa5b5096b330d9fbac3d116df # v4.2.1
        with:
          role-to-assume: @ROLE@
          aws-region: @REGION@
      # Photos stay in the log and on this runner, which is deleted afterwards.
      - run: shutterless collect @NAME@ --region @REGION@ --since 8d -o live
      - name: Compare
        id: compare
        run: |
          status=0
          shutterless drift @BUNDLE@ live --alarm > drift.txt || status=$?
          cat drift.txt
          echo "status=$status" >> "$GITHUB_OUTPUT"
          [ "$status" = 0 ] || [ "$status" = 3 ]
      - name: Open an issue, or comment on the open one
        if: steps.compare.outputs.status == '3'
        env:
          GH_TOKEN: ${{ github.token }}
          GH_REPO: ${{ github.repository }}
          TITLE: What the API of @NAME@ sees has changed
        run: |
          sed 's/^/    /' drift.txt > body.md # indented, nothing in it is markup
          search="in:title \\"$TITLE\\""
          issue=$(gh issue list --state open --search "$search" --json number --jq '.[0].number // ""')
          if [ -n "$issue" ]; then
            gh issue comment "$issue" --body-file body.md
          else
            gh issue create --title "$TITLE" --body-file body.md
          fi
"""


def schedule(
    name: str,
    *,
    region: str,
    role: str = "",
    bundle: str = "bundle",
    output: str | Path = WORKFLOW,
) -> Path:
    """Write a GitHub Actions workflow that collects a deployment's records weekly and compares them.

    It opens an issue if `drift` alarms. AWS trusts it through OpenID Connect, so no key is stored at GitHub.

    Args:
        name: The deployment's name.
        region: Its AWS region.
        role: ARN of the role that the workflow assumes; by default the repository's variable AWS_ROLE.
        bundle: The bundle's folder in the repository.
        output: The file to write, which must not exist.

    Returns:
        The file.

    Raises:
        InputError: A value cannot be in a workflow (`invalid-schedule`), or the name is none
            (`invalid-name`).
        OutputError: The file exists (`exists`), or cannot be written (`cannot-write`).

    Example:
        >>> import shutterless
        >>> file = shutterless.schedule("clothes", region="eu-central-1", output="drift.yml")
        >>> "shutterless collect clothes --region eu-central-1" in file.read_text()
        True
    """
    _check("region", region, REGION, "such as eu-central-1")
    _check("bundle", bundle, BUNDLE, "a path in the repository, of letters, digits and _ . / -")
    if role:
        _check("role", role, ROLE, "the ARN of an IAM role")
    values = {"NAME": check_name(name), "REGION": region, "BUNDLE": bundle}
    text = TEMPLATE.replace("@ROLE@", role or "${{ vars.AWS_ROLE }}")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    file = Path(output)
    if file.exists() or file.is_symlink():
        raise OutputError("exists", f"{file} already exists", "Remove it, or give another file with -o.")
    with atomic_file(file) as draft:
        draft.write_text(text, "utf-8")
    return file


def _check(name: str, value: str, pattern: re.Pattern[str], values: str) -> None:
    if not pattern.fullmatch(value):
        raise InputError("invalid-schedule", f"The {name} cannot be {value!r}", f"Give {values}.")

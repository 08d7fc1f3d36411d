# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""All functions in a shell whose user has set what there is to be set."""

from __future__ import annotations

import os

from tests.interface.tree import Tree
from tests.recipes.conftest import Runner

OPTIONS = {
    "dash": "set -a",
    "bash": "set -o pipefail; shopt -s nullglob extglob nocasematch nocaseglob dotglob; set -a",
    "busybox": "set -o pipefail -a",
    "zsh": (
        "setopt pipe_fail sh_word_split ksh_arrays glob_subst null_glob extended_glob no_multios"
        " no_nomatch no_bare_glob_qual all_export rc_expand_param no_case_match typeset_silent"
    ),
}
SCRIPT = """
    state >| "$STATE/before"
    ksqlfs_query "CREATE TABLE t(a TEXT, b INTEGER); CREATE VIEW v AS SELECT a, b AS value FROM t"
    ksqlfs_query -p ti 'INSERT INTO t VALUES(?, ?)' '*  $HOME [a-z]' 1
    ksqlfs_open 3
    ksqlfs_query -s 3 'BEGIN'
    ksqlfs_value 'v' -s 3 'SELECT a FROM t'
    ksqlfs_close 3
    printf '%s\\n' "$v"
    ksqlfs_export t 'a *.csv'
    ksqlfs_import 'a *.csv' t
    ksqlfs_metrics v v.prom
    ksqlfs_backup '$x.sql'
    ksqlfs_query 'DELETE FROM t'
    ksqlfs_restore '$x.sql'
    ksqlfs_query -f tsv 'SELECT * FROM t'
"""


def test_the_functions_mind_no_option(recipe: Runner, tree: Tree) -> None:
    printed = recipe.fine(OPTIONS[recipe.shell[0]] + SCRIPT)
    rows = "*  $HOME [a-z]\t1\n" * 2
    assert printed == f"*  $HOME [a-z]\na\tb\n{rows}"
    assert sorted(os.listdir(recipe.work)) == ["$x.sql", "a *.csv", "v.prom"]

#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Lay out the module's sources for the kernel's build system: stage.sh FOLDER
#
#   FOLDER/Kbuild        is kfs_module/Kbuild
#   FOLDER/kfs_module, FOLDER/sqlite_core, FOLDER/sqlite, FOLDER/musl
#
# Folders are real and files are links, so what is built lands in FOLDER. Objects that are there
# stay; links to files that are gone do not.
set -eu

stage=$1
project=$PWD

find "$stage" -xtype l -delete
cp -rsf "$project/kfs_module" "$project/sqlite_core" "$project/build/musl" "$stage/"
ln -sf "$project/build/sqlite/sqlite3.c" "$project/build/sqlite/sqlite3.h" "$stage/sqlite/"
ln -sf "$project/kfs_module/Kbuild" "$stage/Kbuild"

# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Where SQLite pauses: what fetch.py inserts into loops of its that can run long in one step.

Each entry is a function (the beginning of its definition), a text of it, how often that is there,
and what takes its place.  ``work_on()`` (work.h) lets others run, and says no when the statement is
to end.  ``WORK_EACH(i)`` (sqlite3_unit.c) is that for each 16,384th of a loop that counts by one.

A loop may end early only where nobody uses its result then.  SQLite's machine looks before each of
its steps (the first entry), so whatever computes a value for a register of its may; what compiles
SQL, or makes the text of SQL, only pauses, but for what notes the error in its ``Parse``.
"""

PAUSES: tuple[tuple[bytes, bytes, int, bytes], ...] = (
    # The machine: look before each step, not only at jumps.
    (
        b"SQLITE_PRIVATE int sqlite3VdbeExec(",
        b"  for(pOp=&aOp[p->pc]; 1; pOp++){\n",
        1,
        b"  for(pOp=&aOp[p->pc]; 1; pOp++){\n"
        b"    if( AtomicLoad(&db->u1.isInterrupted) ) goto abort_due_to_interrupt;\n",
    ),
    # Compiling: texts of megabytes.
    (
        b"SQLITE_PRIVATE int sqlite3RunParser(",
        b"    mxSqlLen -= n;\n",
        1,
        b"    mxSqlLen -= n;\n"
        b"    if( ((mxSqlLen ^ (mxSqlLen+n))>>8)!=0 && !work_on(0x8000) ){\n"
        b"      pParse->rc = SQLITE_INTERRUPT;\n"
        b"      pParse->nErr++;\n"
        b"      break;\n"
        b"    }\n",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"for(i=1; sqlite3Isspace(z[i]); i++){}",
        1,
        b"for(i=1; sqlite3Isspace(z[i]); i++){ WORK_EACH(i); }",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"for(i=2; (c=z[i])!=0 && c!='\\n'; i++){}",
        1,
        b"for(i=2; (c=z[i])!=0 && c!='\\n'; i++){ WORK_EACH(i); }",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"for(i=3, c=z[2]; (c!='*' || z[i]!='/') && (c=z[i])!=0; i++){}",
        1,
        b"for(i=3, c=z[2]; (c!='*' || z[i]!='/') && (c=z[i])!=0; i++){ WORK_EACH(i); }",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"      for(i=1; (c=z[i])!=0; i++){\n        if( c==delim ){",
        1,
        b"      for(i=1; (c=z[i])!=0; i++){\n        WORK_EACH(i);\n        if( c==delim ){",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"        for(i=3; 1; i++){\n",
        1,
        b"        for(i=3; 1; i++){\n          WORK_EACH(i);\n",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"        for(i=0; 1; i++){\n",
        1,
        b"        for(i=0; 1; i++){\n          WORK_EACH(i);\n",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"          for(i++; 1; i++){\n",
        1,
        b"          for(i++; 1; i++){\n            WORK_EACH(i);\n",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"          for(i+=2; 1; i++){\n",
        1,
        b"          for(i+=2; 1; i++){\n            WORK_EACH(i);\n",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"for(i=2; sqlite3Isxdigit(z[i]); i++){}",
        1,
        b"for(i=2; sqlite3Isxdigit(z[i]); i++){ WORK_EACH(i); }",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"for(i=1, c=z[0]; c!=']' && (c=z[i])!=0; i++){}",
        1,
        b"for(i=1, c=z[0]; c!=']' && (c=z[i])!=0; i++){ WORK_EACH(i); }",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"for(i=2; aiClass[z[i]]<=CC_KYWD; i++){}",
        1,
        b"for(i=2; aiClass[z[i]]<=CC_KYWD; i++){ WORK_EACH(i); }",
    ),
    (
        b"SQLITE_PRIVATE i64 sqlite3GetToken(",
        b"  while( IdChar(z[i]) ){ i++; }\n",
        1,
        b"  while( IdChar(z[i]) ){ WORK_EACH(i); i++; }\n",
    ),
    (
        b"SQLITE_PRIVATE void *sqlite3HexToBlob(",
        b"    for(i=0; i<n; i+=2){\n",
        1,
        b"    for(i=0; i<n; i+=2){\n      WORK_EACH(i/2);\n",
    ),
    (
        b"static void heightOfExprList(",
        b"    for(i=0; i<p->nExpr; i++){\n",
        1,
        b"    for(i=0; i<p->nExpr; i++){\n      WORK_EACH(i);\n",
    ),
    (
        b"SQLITE_PRIVATE u32 sqlite3ExprListFlags(",
        b"  for(i=0; i<pList->nExpr; i++){\n",
        1,
        b"  for(i=0; i<pList->nExpr; i++){\n     WORK_EACH(i);\n",
    ),
    (
        b"static int selectExpander(",
        b"  for(k=0; k<pEList->nExpr; k++){\n",
        2,
        b"  for(k=0; k<pEList->nExpr; k++){\n    WORK_EACH(k);\n",
    ),
    (
        b"SQLITE_PRIVATE void sqlite3Dequote(",
        b"  for(i=1, j=0;; i++){\n",
        1,
        b"  for(i=1, j=0;; i++){\n    WORK_EACH(i);\n",
    ),
    (
        b"SQLITE_PRIVATE SQLITE_NOINLINE int sqlite3WalkExprNN(",
        b"    rc = pWalker->xExprCallback(pWalker, pExpr);\n",
        1,
        b"    work_on(32);\n    rc = pWalker->xExprCallback(pWalker, pExpr);\n",
    ),
    (
        b"static int resolveExprStep(",
        b"  switch( pExpr->op ){\n",
        1,
        b"  if( AtomicLoad(&pParse->db->u1.isInterrupted) ){\n"
        b"    pParse->rc = SQLITE_INTERRUPT;\n"
        b"    pParse->nErr++;\n"
        b"    return WRC_Abort;\n"
        b"  }\n"
        b"  switch( pExpr->op ){\n",
    ),
    (
        b"static void findOrCreateAggInfoColumn(",
        b"  pCol = pAggInfo->aCol;\n",
        1,
        b"  pCol = pAggInfo->aCol;\n"
        b"  if( !work_on((size_t)pAggInfo->nColumn) ){\n"
        b"    pParse->rc = SQLITE_INTERRUPT;\n"
        b"    pParse->nErr++;\n"
        b"    return;\n"
        b"  }\n",
    ),
    # ALTER TABLE ... RENAME: lists of all the names in a statement, gone through for each.
    (
        b"static RenameToken *renameTokenFind(",
        b"    if( (*pp)->p==pPtr ){\n",
        1,
        b"    work_on(8);\n    if( (*pp)->p==pPtr ){\n",
    ),
    (
        b"SQLITE_PRIVATE void sqlite3RenameTokenRemap(",
        b"    if( p->p==pFrom ){\n",
        1,
        b"    work_on(8);\n    if( p->p==pFrom ){\n",
    ),
    (
        b"static RenameToken *renameColumnTokenNext(",
        b"    if( pToken->t.z>pBest->t.z ) pBest = pToken;\n",
        1,
        b"    work_on(8);\n    if( pToken->t.z>pBest->t.z ) pBest = pToken;\n",
    ),
    (
        b"static int renameEditSql(",
        b"    while( pRename->pList ){\n",
        1,
        b"    while( pRename->pList && work_on(0) ){\n",
    ),
    (
        b"static int renameColumnExprCb(",
        b"  RenameCtx *p = pWalker->u.pRename;\n",
        1,
        b"  RenameCtx *p = pWalker->u.pRename;\n  if( !work_on(0) ) return WRC_Abort;\n",
    ),
    # Functions of one value.
    (
        b"static void lengthFunc(",
        b"      while( (c = *z)!=0 ){\n",
        1,
        b"      while( (c = *z)!=0 && WORK_EACH(z-z0) ){\n",
    ),
    (
        b"static void substrFunc(",
        b"      for(z2=z; *z2; len++){\n",
        1,
        b"      for(z2=z; *z2 && WORK_EACH(len); len++){\n",
    ),
    (
        b"static void substrFunc(",
        b"    while( *z && p1 ){\n",
        1,
        b"    while( *z && p1 && WORK_EACH(p1) ){\n",
    ),
    (
        b"static void substrFunc(",
        b"    for(z2=z; *z2 && p2; p2--){\n",
        1,
        b"    for(z2=z; *z2 && p2 && WORK_EACH(p2); p2--){\n",
    ),
    (
        b"static void upperFunc(",
        b"      for(i=0; i<n; i++){\n",
        1,
        b"      for(i=0; i<n && WORK_EACH(i); i++){\n",
    ),
    (
        b"static void lowerFunc(",
        b"      for(i=0; i<n; i++){\n",
        1,
        b"      for(i=0; i<n && WORK_EACH(i); i++){\n",
    ),
    (
        b"static void hexFunc(",
        b"    for(i=0; i<n; i++, pBlob++){\n",
        1,
        b"    for(i=0; i<n && WORK_EACH(i); i++, pBlob++){\n",
    ),
    (
        b"static int strContainsChar(",
        b"  while( z<zEnd ){\n    u32 tst = Utf8Read(z);\n",
        1,
        b"  while( z<zEnd ){\n    u32 tst = Utf8Read(z);\n    if( !work_on(4) ) return 0;\n",
    ),
    (
        b"static void unhexFunc(",
        b"    while( (c = *zHex)!=0x00 ){\n",
        1,
        b"    while( (c = *zHex)!=0x00 && WORK_EACH(p-pBlob) ){\n",
    ),
    (
        b"SQLITE_PRIVATE void sqlite3QuoteValue(",
        b"        for(i=0; i<nBlob; i++){\n",
        1,
        b"        for(i=0; i<nBlob; i++){\n          WORK_EACH(i);\n",
    ),
    (
        b"static void randomBlob(",
        b"    sqlite3_randomness(n, p);\n",
        1,
        b"    sqlite3_int64 k;\n"
        b"    for(k=0; k<n && work_on(0x10000); k+=0x4000){\n"
        b"      sqlite3_randomness(n-k<0x4000 ? (int)(n-k) : 0x4000, p+k);\n"
        b"    }\n",
    ),
    (
        b"static void trimFunc(",
        b"for(z=zCharSet, nChar=0; *z; nChar++){\n",
        2,
        b"for(z=zCharSet, nChar=0; *z; nChar++){\n      WORK_EACH(nChar);\n",
    ),
    (
        b"static void trimFunc(",
        b"      while( nIn>0 ){\n",
        2,
        b"      while( nIn>0 && work_on(16) ){\n",
    ),
    (
        b"static void trimFunc(",
        b"          len = aLen[i];\n",
        2,
        b"          len = aLen[i];\n"
        b"          if( (i & 0xfff)==0xfff && !work_on(0x4000) ){\n"
        b"            i = nChar;\n"
        b"            break;\n"
        b"          }\n",
    ),
    (
        b"static void strftimeFunc(",
        b"    if( zFmt[i]!='%' ) continue;\n",
        1,
        b"    if( !WORK_EACH(i) ) break;\n    if( zFmt[i]!='%' ) continue;\n    work_on(128);\n",
    ),
    # printf(), for SQL and for SQLite itself: only SQL's may end early.
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"  for(; (c=(*fmt))!=0; ++fmt){\n",
        1,
        b"  for(; (c=(*fmt))!=0; ++fmt){\n    if( bArgList && !work_on(64) ) break;\n",
    ),
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"            bufpt[idx] = bufpt[idx+nn];\n",
        1,
        b"            WORK_EACH(nn);\n            bufpt[idx] = bufpt[idx+nn];\n",
    ),
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"          while( bufpt[-1]=='0' ) *(--bufpt) = 0;\n",
        1,
        b"          while( bufpt[-1]=='0' ){\n"
        b"            *(--bufpt) = 0;\n"
        b"            WORK_EACH(bufpt-zOut);\n"
        b"          }\n",
    ),
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"              SQLITE_SKIP_UTF8(z);\n",
        1,
        b"              SQLITE_SKIP_UTF8(z);\n              WORK_EACH(precision);\n",
    ),
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"for(length=0; length<precision && bufpt[length]; length++){}",
        1,
        b"for(length=0; length<precision && bufpt[length]; length++){ WORK_EACH(length); }",
    ),
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"          while( ii>=0 ) if( (bufpt[ii--] & 0xc0)==0x80 ) width++;\n",
        1,
        b"          while( ii>=0 ){\n"
        b"            WORK_EACH(ii);\n"
        b"            if( (bufpt[ii--] & 0xc0)==0x80 ) width++;\n"
        b"          }\n",
    ),
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"          if( ch==q )  n++;\n",
        1,
        b"          WORK_EACH(i);\n          if( ch==q )  n++;\n",
    ),
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"            if( escarg[k]=='\\\\' ){\n",
        1,
        b"            WORK_EACH(k);\n            if( escarg[k]=='\\\\' ){\n",
    ),
    (
        b"SQLITE_API void sqlite3_str_vappendf(",
        b"            bufpt[j++] = ch = escarg[i];\n",
        2,
        b"            WORK_EACH(i);\n            bufpt[j++] = ch = escarg[i];\n",
    ),
    (
        b"SQLITE_API void sqlite3_str_appendchar(",
        b"  while( (N--)>0 ) p->zText[p->nChar++] = c;\n",
        1,
        b"  while( (N--)>0 ){\n    WORK_EACH(N);\n    p->zText[p->nChar++] = c;\n  }\n",
    ),
    # Numbers of many digits.
    (
        b"SQLITE_PRIVATE int sqlite3AtoF(",
        b"while( sqlite3Isdigit(z[0]) ){ z++; d++; }",
        1,
        b"while( sqlite3Isdigit(z[0]) ){ z++; d++; WORK_EACH(d); }",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3AtoF(",
        b"do{ z++; }while( sqlite3Isspace(z[0]) );",
        1,
        b"do{ z++; WORK_EACH((const char*)z-zIn); }while( sqlite3Isspace(z[0]) );",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3AtoF(",
        b"do{ z++; }while( sqlite3Isspace(*z) );",
        1,
        b"do{ z++; WORK_EACH((const char*)z-zIn); }while( sqlite3Isspace(*z) );",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3AtoF(",
        b"    while( (v = (unsigned)z[0] - '0')<10 ){\n      s = s*10 + v;\n      z++;\n",
        1,
        b"    while( (v = (unsigned)z[0] - '0')<10 ){\n      s = s*10 + v;\n      z++;\n"
        b"      WORK_EACH((const char*)z-zIn);\n",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3AtoF(",
        b"      do{\n        if( s<(LARGEST_UINT64-9)/10 ){\n",
        1,
        b"      do{\n        WORK_EACH((const char*)z-zIn);\n"
        b"        if( s<(LARGEST_UINT64-9)/10 ){\n",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3AtoF(",
        b"        exp = exp<10000 ? (exp*10 + v) : 10000;\n",
        1,
        b"        WORK_EACH((const char*)z-zIn);\n"
        b"        exp = exp<10000 ? (exp*10 + v) : 10000;\n",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3Atoi64(",
        b"  while( zNum<zEnd && sqlite3Isspace(*zNum) ) zNum+=incr;\n",
        1,
        b"  while( zNum<zEnd && sqlite3Isspace(*zNum) ){\n"
        b"    WORK_EACH(zEnd-zNum);\n    zNum+=incr;\n  }\n",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3Atoi64(",
        b"  while( zNum<zEnd && zNum[0]=='0' ){ zNum+=incr; } /* Skip leading zeros. */\n",
        1,
        b"  while( zNum<zEnd && zNum[0]=='0' ){ /* Skip leading zeros. */\n"
        b"    WORK_EACH(zEnd-zNum);\n    zNum+=incr;\n  }\n",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3Atoi64(",
        b"    u = u*10 + c;\n",
        1,
        b"    WORK_EACH(i);\n    u = u*10 + c;\n",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3Atoi64(",
        b"      jj += incr;\n",
        1,
        b"      jj += incr;\n      WORK_EACH(jj);\n",
    ),
    # Comparing.
    (
        b"SQLITE_API int sqlite3_strnicmp(",
        b"UpperToLower[*a]==UpperToLower[*b]){ a++; b++; }",
        1,
        b"UpperToLower[*a]==UpperToLower[*b]){ WORK_EACH(N); a++; b++; }",
    ),
    (
        b"static int rtrimCollFunc(",
        b"  while( nKey1 && pK1[nKey1-1]==' ' ) nKey1--;\n",
        1,
        b"  while( nKey1 && pK1[nKey1-1]==' ' ){ WORK_EACH(nKey1); nKey1--; }\n",
    ),
    (
        b"static int rtrimCollFunc(",
        b"  while( nKey2 && pK2[nKey2-1]==' ' ) nKey2--;\n",
        1,
        b"  while( nKey2 && pK2[nKey2-1]==' ' ){ WORK_EACH(nKey2); nKey2--; }\n",
    ),
    (
        b"static int isAllZero(",
        b"    if( z[i] ) return 0;\n",
        1,
        b"    WORK_EACH(i);\n    if( z[i] ) return 0;\n",
    ),
    # Sorting: the rows of a run, 512 KiB of them; the values of median().
    (
        b"static SorterRecord *vdbeSorterMerge(",
        b"    int res;\n",
        1,
        b"    int res;\n    work_on(256);\n",
    ),
    (
        b"static void percentSort(",
        b"  while( n>=2 ){\n",
        1,
        b"  while( n>=2 && work_on(n) ){\n",
    ),
    (
        b"static void percentSort(",
        b"    do{\n      if( a[i]<rPivot ){\n",
        1,
        b"    do{\n      if( !WORK_EACH(i) ) return;\n      if( a[i]<rPivot ){\n",
    ),
    (
        b"static void percentSort(",
        b"          iGt--;\n",
        1,
        b"          iGt--;\n          WORK_EACH(iGt);\n",
    ),
    # Pages.
    (
        b"static int accessPayload(",
        b"    while( nextPage ){\n",
        1,
        b"    while( nextPage ){\n      work_on(4096);\n",
    ),
    (
        b"static int fillInCell(",
        b"      rc = allocateBtreePage(pBt, &pOvfl, &pgnoOvfl, pgnoOvfl, 0);\n",
        1,
        b"      work_on(8192);\n"
        b"      rc = allocateBtreePage(pBt, &pOvfl, &pgnoOvfl, pgnoOvfl, 0);\n",
    ),
    (
        b"static SQLITE_NOINLINE int clearCellOverflow(",
        b"  while( nOvfl-- ){\n",
        1,
        b"  while( nOvfl-- ){\n    work_on(4096);\n",
    ),
    (
        b"SQLITE_PRIVATE int sqlite3BtreeTransferRow(",
        b"    do {\n      nRem -= nOut;\n",
        1,
        b"    do {\n      work_on(8192);\n      nRem -= nOut;\n",
    ),
    (
        b"static int checkTreePage(",
        b"  checkProgress(pCheck);\n",
        1,
        b"  checkProgress(pCheck);\n  work_on(0x4000);\n",
    ),
    (
        b"static int clearDatabasePage(",
        b"  if( pgno>btreePagecount(pBt) ){\n",
        1,
        b"  if( !work_on(4096) ) return SQLITE_INTERRUPT;\n  if( pgno>btreePagecount(pBt) ){\n",
    ),
    (
        b"SQLITE_API int sqlite3_backup_step(",
        b"      p->iNext++;\n",
        1,
        b"      p->iNext++;\n      if( rc==SQLITE_OK && !work_on(4096) ) rc = SQLITE_INTERRUPT;\n",
    ),
    (
        b"static int walIteratorInit(",
        b"      walMergesort((u32 *)sLoc.aPgno, aTmp, aIndex, &nEntry);\n",
        1,
        b"      walMergesort((u32 *)sLoc.aPgno, aTmp, aIndex, &nEntry);\n      work_on(0x10000);\n",
    ),
    (
        b"static int statNext(",
        b"statNextRestart:\n",
        1,
        b"statNextRestart:\n  if( !work_on(4096) ) return SQLITE_INTERRUPT;\n",
    ),
    # JSON.
    (
        b"static int jsonTranslateTextToBlob(",
        b"json_parse_restart:\n",
        1,
        b"  if( !work_on(64) ){\n    pParse->iErr = i;\n    return -1;\n  }\njson_parse_restart:\n",
    ),
    (
        b"static int jsonTranslateTextToBlob(",
        b"    while( 1 /*exit-by-break*/ ){\n",
        1,
        b"    while( 1 /*exit-by-break*/ ){\n      if( (j & 0x3ffc)==0x3ffc ) work_on(0x3000);\n",
    ),
    (
        b"static u32 jsonTranslateBlobToText(",
        b"  n = jsonbPayloadSize(pParse, i, &sz);\n  if( n==0 ){\n",
        1,
        b"  n = jsonbPayloadSize(pParse, i, &sz);\n  if( !work_on(64) ) n = 0;\n  if( n==0 ){\n",
    ),
    (
        b"static u32 jsonTranslateBlobToPrettyText(",
        b"  n = jsonbPayloadSize(pParse, i, &sz);\n  if( n==0 ){\n",
        1,
        b"  n = jsonbPayloadSize(pParse, i, &sz);\n  if( !work_on(64) ) n = 0;\n  if( n==0 ){\n",
    ),
    (
        b"static u32 jsonbValidityCheck(",
        b"  if( iDepth>JSON_MAX_DEPTH ) return i+1;\n",
        1,
        b"  if( iDepth>JSON_MAX_DEPTH ) return i+1;\n  if( !work_on(64) ) return i+1;\n",
    ),
    (
        b"static u32 jsonbArrayCount(",
        b"  for(i=iRoot+n; n>0 && i<iEnd; i+=sz+n, k++){\n",
        1,
        b"  for(i=iRoot+n; n>0 && i<iEnd && WORK_EACH(k); i+=sz+n, k++){\n",
    ),
    (
        b"static u32 jsonLookupStep(",
        b"    while( j<iEnd ){\n",
        2,
        b"    while( j<iEnd ){\n      if( !work_on(32) ) return JSON_LOOKUP_ERROR;\n",
    ),
    (
        b"static int jsonMergePatch(",
        b"      int isEqual;   /* true if the patch and target labels match */\n",
        1,
        b"      int isEqual;   /* true if the patch and target labels match */\n"
        b"      if( !work_on(32) ) return JSON_MERGE_BADPATCH;\n",
    ),
    (
        b"static void jsonAppendString(",
        b"      if( k+3>=N ){\n",
        1,
        b"      if( (k & 0x3ffc)==0x3ffc ) work_on(0x3000);\n      if( k+3>=N ){\n",
    ),
    (
        b"static void jsonAppendString(",
        b"    c = z[0];\n",
        1,
        b"    c = z[0];\n    work_on(8);\n",
    ),
    (
        b"static void jsonReturnFromBlob(",
        b"        char c = z[iIn];\n",
        1,
        b"        char c = z[iIn];\n        WORK_EACH(iOut);\n",
    ),
    # Polygons.
    (
        b"static GeoPoly *geopolyParseJson(",
        b"      int ii = 0;\n      char c;\n",
        1,
        b"      int ii = 0;\n      char c;\n"
        b"      if( !work_on(256) ){\n"
        b"        rc = SQLITE_ERROR;\n"
        b"        goto parse_json_err;\n"
        b"      }\n",
    ),
    (
        b"static void geopolyJsonFunc(",
        b"    for(i=0; i<p->nVertex; i++){\n",
        1,
        b"    for(i=0; i<p->nVertex && work_on(1024); i++){\n",
    ),
    (
        b"static void geopolySvgFunc(",
        b"    for(i=0; i<p->nVertex; i++){\n",
        1,
        b"    for(i=0; i<p->nVertex && work_on(1024); i++){\n",
    ),
    (
        b"static GeoEvent *geopolyEventMerge(",
        b"    if( pRight->x <= pLeft->x ){\n",
        1,
        b"    work_on(16);\n    if( pRight->x <= pLeft->x ){\n",
    ),
    (
        b"static GeoSegment *geopolySegmentMerge(",
        b"    double r = pRight->y - pLeft->y;\n",
        1,
        b"    double r = pRight->y - pLeft->y;\n    work_on(16);\n",
    ),
    (
        b"static int geopolyOverlap(",
        b"  while( pThisEvent ){\n",
        1,
        b"  while( pThisEvent && work_on(32) ){\n",
    ),
    (
        b"static int geopolyOverlap(",
        b"        if( pPrev ){\n",
        2,
        b"        work_on(8);\n        if( pPrev ){\n",
    ),
    (
        b"static int geopolyOverlap(",
        b"          if( pSeg->pNext==pThisEvent->pSeg ){\n",
        1,
        b"          work_on(8);\n          if( pSeg->pNext==pThisEvent->pSeg ){\n",
    ),
    # Full-text search: the tokens of a document, what is found in one.
    (
        b"static int fts5UnicodeTokenize(",
        b"    rc = xToken(pCtx, 0, aFold, zOut-aFold, is, ie);\n",
        1,
        b"    rc = xToken(pCtx, 0, aFold, zOut-aFold, is, ie);\n"
        b"    if( rc==SQLITE_OK && !work_on(256) ) rc = SQLITE_INTERRUPT;\n",
    ),
    (
        b"static int fts5UnicodeTokenize(",
        b"        zCsr++;\n      }\n    }\n",
        1,
        b"        WORK_EACH(zTerm-zCsr);\n        zCsr++;\n      }\n    }\n",
    ),
    (
        b"static int fts5UnicodeTokenize(",
        b" ascii_tokenchar:\n",
        1,
        b" ascii_tokenchar:\n        WORK_EACH(zTerm-zCsr);\n",
    ),
    (
        b"static int fts5AsciiTokenize(",
        b"    rc = xToken(pCtx, 0, pFold, nByte, is, ie);\n",
        1,
        b"    rc = xToken(pCtx, 0, pFold, nByte, is, ie);\n"
        b"    if( rc==SQLITE_OK && !work_on((size_t)nByte+256) ) rc = SQLITE_INTERRUPT;\n",
    ),
    (
        b"static int fts5TriTokenize(",
        b"    rc = xToken(pCtx, 0, aBuf, zOut-aBuf, aStart[0], iNext);\n",
        1,
        b"    rc = xToken(pCtx, 0, aBuf, zOut-aBuf, aStart[0], iNext);\n"
        b"    if( rc==SQLITE_OK && !work_on(256) ) rc = SQLITE_INTERRUPT;\n",
    ),
    (
        b"static int fts5HashResize(",
        b"      unsigned int iHash;\n",
        1,
        b"      unsigned int iHash;\n      work_on(512);\n",
    ),
    (
        b"static int fts5HashEntrySort(",
        b"    Fts5HashEntry *pIter;\n",
        1,
        b"    Fts5HashEntry *pIter;\n    WORK_EACH(iSlot);\n",
    ),
    (
        b"static Fts5HashEntry *fts5HashEntryMerge(",
        b"      char *zKey1 = fts5EntryKey(p1);\n",
        1,
        b"      char *zKey1 = (work_on(128), fts5EntryKey(p1));\n",
    ),
    (
        b"static void fts5FlushOneHash(",
        b"        int nDoclist;             /* Size of doclist in bytes */\n",
        1,
        b"        int nDoclist;             /* Size of doclist in bytes */\n"
        b"        if( !work_on(512) ){\n"
        b"          p->rc = SQLITE_INTERRUPT;\n"
        b"          break;\n"
        b"        }\n",
    ),
    (
        b"static int sqlite3Fts5PoslistNext64(",
        b"  assert( a!=0 || i==0 );\n",
        1,
        b"  assert( a!=0 || i==0 );\n  work_on(16);\n",
    ),
    (
        b"static int fts5ApiInst(",
        b"  int rc = SQLITE_OK;\n",
        1,
        b"  int rc = SQLITE_OK;\n  if( !work_on(32) ) return SQLITE_INTERRUPT;\n",
    ),
)

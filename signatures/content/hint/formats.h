/* formats.h: formats by their magic numbers that the engine calls clean without having opened them.
 *
 * One list for those that must not settle them (hint.c) and those that open them, or say what they
 * are (signatures/content/open, which has the words for how). docs/opening.md tells who opens what.
 *
 * X(KIND, OFFSET, MAGIC, WAY, UNPACKER)
 */
#ifndef SIGNATURES_CONTENT_HINT_FORMATS_H
#define SIGNATURES_CONTENT_HINT_FORMATS_H

#define HINT_FORMAT_LIST(X)                                                    \
    X("rar", 0, "Rar!\x1a\x07", RAR, RAR)                                      \
    X("rar", 0, "RE\x7e\x5e", NAME, RAR) /* of before 1.50 */                  \
    X("7z", 0, "7z\xbc\xaf\x27\x1c", UNPACK, 7ZIP)                             \
    X("ar", 0, "!<arch>\n", UNPACK, AR)                                        \
    X("warc", 0, "WARC/", UNPACK_IF, WARC)                                     \
    X("zstd", 0, "\x28\xb5\x2f\xfd", UNPACK, COMPRESSED)                       \
    X("zstd", 1, "\x2a\x4d\x18", UNPACK_IF, COMPRESSED) /* skipped frames */   \
    X("lzip", 0, "LZIP\x01", UNPACK, COMPRESSED)                               \
    X("lz4", 0, "\x04\x22\x4d\x18", UNPACK, COMPRESSED)                        \
    X("lz4", 0, "\x02\x21\x4c\x18", UNPACK, COMPRESSED)                        \
    X("compress", 0, "\x1f\x9d", UNPACK_IF, COMPRESSED)                        \
    X("lzma", 0, "\x5d\0\0", UNPACK_IF, COMPRESSED)                            \
    X("rpm", 0, "\xed\xab\xee\xdb", UNPACK, COMPRESSED)                        \
    X("lzop", 0, "\x89LZO\0\r\n\x1a\n", NAME, COMPRESSED)                      \
    X("lrzip", 0, "LRZI\0", NAME, COMPRESSED)                                  \
    X("rzip", 0, "RZIP\x02", NAME, COMPRESSED)                                 \
    X("zoo", 20, "\xdc\xa7\xc4\xfd", NAME, COMPRESSED)                         \
    X("ace", 7, "**ACE**", NAME, COMPRESSED)                                   \
    X("zpaq", 0, "7kSt\xa0\x31\x83\xd3\x8c\xb2\x28\xb0\xd3", NAME, COMPRESSED) \
    X("zpaq", 0, "zPQ\x01\x01", NAME, COMPRESSED)                              \
    X("zpaq", 0, "zPQ\x02\x01", NAME, COMPRESSED)                              \
    X("stuffit", 0, "StuffIt (c)1997", NAME, COMPRESSED)                       \
    X("stuffit", 10, "rLau", NAME, COMPRESSED) /* SIT!, and a count */         \
    X("squashfs", 0, "hsqs", NAME, COMPRESSED)                                 \
    X("wim", 0, "MSWIM\0\0\0\xd0\0\0\0", NAME, COMPRESSED)                     \
    X("vhd", 0, "conectix", NAME, COMPRESSED)                                  \
    X("vhdx", 0, "vhdxfile", NAME, COMPRESSED)                                 \
    X("vmdk", 0, "KDMV", NAME, COMPRESSED)                                     \
    X("qcow", 0, "QFI\xfb\0\0\0", NAME, COMPRESSED)

#endif

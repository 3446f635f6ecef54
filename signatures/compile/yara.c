/* YARA rules. */
#include "signatures/compile/read.h"

enum status read_yara(struct reader *reader)
{
    read_emit_doubtful(reader, reader->file, "YARA rules");
    return STATUS_OK;
}

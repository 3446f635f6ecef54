#include <stdarg.h>
#include <stdio.h>

#include "dataplane/main/main_thread.h"

void main_say(const char *format, ...)
{
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fprintf(stderr, "postern-dataplane: %s\n", line);
}

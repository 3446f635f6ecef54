#include "platform/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_write(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nothing better can be done on the way down */
}

void check_failed(const char *file, int line, const char *condition)
{
    char digits[12];
    char *digit = digits + sizeof(digits) - 1;

    *digit = '\0';
    do {
        *--digit = (char)('0' + line % 10);
        line /= 10;
    } while (line > 0);

    check_write("postern: check failed: ");
    check_write(file);
    check_write(":");
    check_write(digit);
    check_write(": ");
    check_write(condition);
    check_write("\n");
    abort();
}

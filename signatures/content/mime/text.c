#include <string.h>

#include "signatures/content/mime/parts.h"

bool mime_is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

bool mime_is_token(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && strchr("()<>@,;:\\\"/[]?=", byte) == NULL;
}

uint8_t mime_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool mime_is(const char *type, const char *other)
{
    size_t length = strlen(type);

    return length == strlen(other) && memcmp(type, other, length) == 0;
}

bool mime_same(const uint8_t *bytes, size_t length, const char *word)
{
    return length == strlen(word) && mime_starts(bytes, length, word);
}

bool mime_starts(const uint8_t *bytes, size_t length, const char *word)
{
    size_t i = 0;

    while (word[i] != '\0' && i < length && mime_lower(bytes[i]) == mime_lower((uint8_t)word[i]))
        i++;
    return word[i] == '\0';
}

bool mime_contains(const uint8_t *bytes, size_t length, const char *word)
{
    size_t word_length = strlen(word);

    for (size_t i = 0; i + word_length <= length; i++)
        if (memcmp(bytes + i, word, word_length) == 0)
            return true;
    return false;
}

int mime_base64_value(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

#include "signatures/content/inspect/normal.h"

/* What a byte of text is in the normal form; 0: nothing. */
#define NORMAL_OF(c)                                                         \
    (uint8_t)((c) == ' ' || ((c) >= '\t' && (c) <= '\r') ? ' '               \
              : (c) < ' ' || (c) >= 0x80                 ? 0                 \
              : (c) >= 'A' && (c) <= 'Z'                 ? (c) + ('a' - 'A') \
                                                         : (c))
#define NORMAL_OF4(c)  NORMAL_OF(c), NORMAL_OF((c) + 1), NORMAL_OF((c) + 2), NORMAL_OF((c) + 3)
#define NORMAL_OF16(c) NORMAL_OF4(c), NORMAL_OF4((c) + 4), NORMAL_OF4((c) + 8), NORMAL_OF4((c) + 12)
#define NORMAL_OF64(c) \
    NORMAL_OF16(c), NORMAL_OF16((c) + 16), NORMAL_OF16((c) + 32), NORMAL_OF16((c) + 48)

static const uint8_t normal_table[256] = {NORMAL_OF64(0), NORMAL_OF64(64)};

size_t normal_make(const uint8_t *from, size_t length, uint8_t *to, bool *spaced)
{
    bool after = *spaced;
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        uint8_t left = normal_table[from[i]];
        bool white = left == ' ';

        to[used] = left;
        used += left != 0 && !(white && after);
        after = left != 0 ? white : after;
    }
    *spaced = after;
    return used;
}

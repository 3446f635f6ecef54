/* Going on from token to token, and giving up. */
#include "signatures/read/yara.h"

void yara_advance(struct yara *yara)
{
    yara_next(&yara->scan, &yara->token);
}

void yara_give_up(struct yara *yara, enum yara_fate fate)
{
    /* What stands before a character libclamav stops at never becomes a rule. */
    if (yara->fate == YARA_TAKEN)
        yara->fate = yara->token.kind == YARA_STOP ? YARA_REFUSED : fate;
}

bool yara_eat(struct yara *yara, const char *text)
{
    if (!yara_is(&yara->token, text))
        return false;
    yara_advance(yara);
    return true;
}

void yara_expect(struct yara *yara, const char *text)
{
    if (!yara_eat(yara, text))
        yara_give_up(yara, YARA_UNKNOWN);
}

struct expression *yara_true(struct yara *yara)
{
    return expression_true(yara->arena);
}

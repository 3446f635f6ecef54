/* A configuration from arbitrary bytes.
 *
 * Oracles: no crash; what is refused has at least one error, each with a text of one line; what is
 * taken is written out by show-config, and that is read as the same configuration.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "platform/config/load.h"
#include "platform/config/show.h"

#define FUZZ_BYTES_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static char *fuzz_shown(const struct config *config, size_t *size)
{
    char *text = NULL;
    FILE *memory = open_memstream(&text, size);

    CHECK(memory != NULL);
    config_show(config, memory);
    CHECK(fclose(memory) == 0);
    return text;
}

static void fuzz_check_errors(const struct config_errors *errors)
{
    CHECK(errors->count >= 1);
    for (unsigned i = 0; i < errors->count; i++)
        CHECK(errors->list[i].text[0] != '\0' && strchr(errors->list[i].text, '\n') == NULL);
}

static void fuzz_check_again(const struct config *config)
{
    static struct config_errors errors;
    struct config *again = NULL;
    size_t size;
    size_t size_again;
    char *text = fuzz_shown(config, &size);
    char *text_again;

    errors = (struct config_errors){0};
    CHECK(load_text("shown", (const unsigned char *)text, size, &again, &errors) == STATUS_OK);
    text_again = fuzz_shown(again, &size_again);
    CHECK(size == size_again && memcmp(text, text_again, size) == 0);
    config_free(again);
    free(text_again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static struct config_errors errors;
    struct config *config = NULL;

    if (length > FUZZ_BYTES_MAX)
        return 0;
    errors = (struct config_errors){0};
    if (load_text("fuzz", input, length, &config, &errors) != STATUS_OK) {
        CHECK(config == NULL);
        fuzz_check_errors(&errors);
        return 0;
    }
    CHECK(config != NULL);
    fuzz_check_again(config);
    config_free(config);
    return 0;
}

#include <stdio.h>

#include "control/command/command.h"

void command_print_errors(const struct config_errors *errors)
{
    for (unsigned i = 0; i < errors->count; i++)
        fprintf(stderr, "%s\n", errors->list[i].text);
    if (errors->omitted > 0)
        fprintf(stderr, "(%u more errors)\n", errors->omitted);
}

int command_load(const char *file, struct config **config)
{
    struct config_errors errors;

    if (config_load_all(file, config, &errors) == STATUS_OK)
        return EXIT_OK;
    command_print_errors(&errors);
    return EXIT_CONFIG;
}

#include "platform/config/manual.h"

#include "platform/check.h"
#include "platform/config/schema.h"
#include "platform/config/values.h"

#define MANUAL_PATH_BYTES 128u

static const char manual_head[] = ".\\\" Made of the schema: postern show-config --manual\n"
                                  ".TH POSTERN.YAML 5 \"\" Postern \"File formats\"\n"
                                  ".SH NAME\n"
                                  "postern.yaml \\- configuration of Postern, the mail filter\n"
                                  ".SH DESCRIPTION\n"
                                  "One file in YAML, by default /etc/postern/postern.yaml, which\n"
                                  ".B postern run\n"
                                  "reads and hands to all programs.\n"
                                  ".B postern check\\-config\n"
                                  "names everything that is wrong with it,\n"
                                  ".B postern show\\-config\n"
                                  "prints it with every key in it. HUP to\n"
                                  ".B postern run\n"
                                  "loads it again; keys marked\n"
                                  ".I restart\n"
                                  "are then named and wait for one.\n"
                                  ".PP\n"
                                  "Sizes are bytes, or have K, M or G behind them (powers of "
                                  "1024); times have ms, s, m or h; cpus are\n"
                                  "the kernel\\(aqs numbers, single ones and ranges.\n";

static const char manual_end[] = ".SH FILES\n"
                                 "/etc/postern/postern.yaml\n"
                                 ".SH SEE ALSO\n"
                                 "docs/configuration.md\n";

/* Text with what roff would take for a command or an escape made plain. */
static void manual_text(FILE *to, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", to);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", to);
        else if (*text == '-')
            fputs("\\-", to);
        else if (*text == '\'')
            fputs("\\(aq", to);
        else
            fputc(*text, to);
    }
}

static void manual_key(FILE *to, const struct schema_key *key, bool restart)
{
    char wanted[VALUES_WANTED_BYTES];

    CHECK(key->about != NULL);
    fputs(".TP\n.B ", to);
    manual_text(to, key->name);
    fputc('\n', to);
    manual_text(to, key->about);
    fputs(".\n", to);
    if (key->type == SCHEMA_GROUP) {
        fputs("A mapping: see below.\n", to);
    } else {
        values_wanted(key->entry != NULL ? key->entry : key, wanted);
        wanted[0] =
            (char)(wanted[0] >= 'a' && wanted[0] <= 'z' ? wanted[0] - 'a' + 'A' : wanted[0]);
        manual_text(to, wanted);
        fputs(key->entry != NULL ? ", each in a list.\n" : ".\n", to);
    }
    if (key->mandatory)
        fputs(".I Mandatory.\n", to);
    else if (key->fallback != NULL) {
        fputs("Default: ", to);
        manual_text(to, key->fallback);
        fputs(".\n", to);
    }
    if (restart || key->restart)
        fputs(".I Restart.\n", to);
}

/* The keys of a group, then those of each group in it. */
static void manual_group(FILE *to, const struct schema_group *group, const char *path, bool restart)
{
    char inner[MANUAL_PATH_BYTES];

    fputs(".SH ", to);
    manual_text(to, *path != '\0' ? path : "TOP LEVEL");
    fputc('\n', to);
    if (group->word)
        fputs("One word in place of the mapping is for all of these keys.\n", to);
    for (unsigned i = 0; i < group->count; i++)
        manual_key(to, &group->keys[i], restart);
    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        int length;

        if (key->group == NULL)
            continue;
        length =
            snprintf(inner, sizeof(inner), "%s%s%s", path, *path != '\0' ? "." : "", key->name);
        CHECK(length > 0 && (size_t)length < sizeof(inner));
        manual_group(to, key->group, inner, restart || key->restart);
    }
}

void config_manual(FILE *to)
{
    fputs(manual_head, to);
    manual_group(to, &schema_file, "", false);
    fputs(manual_end, to);
}

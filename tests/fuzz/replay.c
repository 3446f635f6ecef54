/* Runs a fuzz target over the files of a corpus folder: the corpus as an ordinary test, with any
 * compiler. A folder without inputs is a failure. Usage: replay FOLDER */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static int replay_file(const char *path)
{
    static uint8_t buffer[1u << 20];
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    size_t length;

    if (file == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    length = fread(buffer, 1, sizeof(buffer), file);
    (void)fclose(file);
    /* Exactly as long as the input, so that a sanitizer sees a read past it. */
    bytes = malloc(length + 1);
    if (bytes == NULL)
        return 1;
    memcpy(bytes + 1, buffer, length);
    (void)LLVMFuzzerTestOneInput(bytes + 1, length);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int failed = 0;

    if (folder == NULL) {
        fprintf(stderr, "usage: replay FOLDER\n");
        return 2;
    }
    while ((entry = readdir(folder)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        failed |= replay_file(path);
        count++;
    }
    (void)closedir(folder);
    printf("%u inputs\n", count);
    return failed != 0 || count == 0;
}

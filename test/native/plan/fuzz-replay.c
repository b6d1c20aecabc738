/* Runs a fuzz target over every file of the directories given, where no fuzzer is linked in. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

#include "basic/cleanup.h"
#include "basic/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int directory_replay(const char *path) {
    _cleanup_dir_ DIR *directory = opendir(path);
    int count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        if (entry->d_name[0] == '.' || file_read(dirfd(directory), entry->d_name, 1 << 20, &text, &size) < 0)
            continue;
        (void)LLVMFuzzerTestOneInput((const uint8_t *)text, size);
        count++;
    }
    return count;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (directory_replay(argv[i]) == 0) {
            fprintf(stderr, "%s: nothing to replay\n", argv[i]);
            return 1;
        }
    return argc < 2;
}

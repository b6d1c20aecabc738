/* For the programs that are linked with musl, which (1.2.3) leaves the addresses in a static program writable that it has set at
 * its start: what dynamic loaders, and glibc's own start, do about a segment PT_GNU_RELRO. */
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The linker's: where the program lies. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static void segment_protect(const ElfW(Phdr) *segment) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)&__ehdr_start + segment->p_vaddr;
    uintptr_t first = begin & ~(page - 1), end = (begin + segment->p_memsz) & ~(page - 1);
    if (end > first && mprotect((void *)first, end - first, PROT_READ) < 0)
        abort();
}

__attribute__((constructor)) static void relocations_protect(void) {
    const ElfW(Phdr) *segments = (const void *)((uintptr_t)&__ehdr_start + __ehdr_start.e_phoff);
    for (size_t i = 0; i < __ehdr_start.e_phnum; i++)
        if (segments[i].p_type == PT_GNU_RELRO)
            segment_protect(&segments[i]);
}

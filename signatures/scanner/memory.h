/* memory.h: glibc malloc set for scanning.
 *
 * libclamav allocates and frees some hundred KiB to MiB for every buffer it matches. By default
 * glibc gives such memory back to the kernel each time (munmap, trim), and the page faults that
 * bring it in again cost about as much as the scan of a small mail. docs/scanner.md has figures.
 */
#ifndef SIGNATURES_SCANNER_MEMORY_H
#define SIGNATURES_SCANNER_MEMORY_H

/* Before the engine is opened; children inherit it. */
void memory_tune(void);

#endif

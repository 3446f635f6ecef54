/* memory.h: glibc malloc set for scanning.
 *
 * libclamav allocates and frees some hundred KiB to MiB for every buffer it matches. Left alone,
 * glibc hands the top of the heap back to the kernel after a scan and fetches it again for the next
 * one, or not, depending on what happened to be freed while the signatures were loaded. Fixed
 * thresholds make that the same everywhere. docs/scanner.md has figures.
 */
#ifndef SIGNATURES_SCANNER_MEMORY_H
#define SIGNATURES_SCANNER_MEMORY_H

/* Before the engine is opened; children inherit it. */
void memory_tune(void);

#endif

/* memory.h: glibc malloc set for scanning, and the engine's memory on large pages.
 *
 * libclamav allocates and frees some hundred KiB to MiB for every buffer it matches. Left alone,
 * glibc hands the top of the heap back to the kernel after a scan and fetches it again for the next
 * one, or not, depending on what happened to be freed while the signatures were loaded. Fixed
 * thresholds make that the same everywhere. docs/scanner.md has figures.
 *
 * A scan jumps about in the engine's tries, hundreds of MiB with the official set, so most steps
 * need an address translation that is not at hand. On pages of 2 MiB there are few of them.
 */
#ifndef SIGNATURES_SCANNER_MEMORY_H
#define SIGNATURES_SCANNER_MEMORY_H

/* Before the engine is opened; children inherit it. */
void memory_tune(void);

/* Once the engine is loaded, in the parent: asks the kernel (6.1 or later) to put private memory
 * onto large pages, in whole ones. Children inherit the mapping; a page one of them writes to
 * becomes small again for it alone. Best effort: returns how many MiB were moved, 0 where it cannot
 * be. */
unsigned memory_settle(void);

#endif

// What a proxy asks of its own process at start, and right after it.
#pragma once

namespace aquifer {

/// A proxy needs two descriptors per connection: whatever the hard limit allows.
void raise_descriptor_limit() noexcept;

/// Queues come and go in blocks of 130 KiB: from mmap each would cost a page fault per page, every
/// time. A worker's arena keeps up to the trim threshold at its top for good (malloc_trim does not
/// touch it there): four blocks, which is what a busy tunnel has in use at once.
void tune_allocator() noexcept;

/// Once the start is over: two thirds of the code that is mapped were run by it alone (reading
/// manifests, filling tables, relocating), and a process counts as resident what it has mapped.
/// Drops the mapping of all code; what is used again comes back from the page cache, a few hundred
/// faults in all. Saves no memory that the kernel could not take by itself, but says what is used.
void forget_code_of_start() noexcept;

}  // namespace aquifer

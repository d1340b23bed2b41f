// What a proxy asks of its own process at start.
#pragma once

namespace aquifer {

/// A proxy needs two descriptors per connection: whatever the hard limit allows.
void raise_descriptor_limit() noexcept;

/// Queues come and go in blocks of 130 KiB: from mmap each would cost a page fault per page, every
/// time. A worker's arena keeps up to the trim threshold at its top for good (malloc_trim does not
/// touch it there): four blocks, which is what a busy tunnel has in use at once.
void tune_allocator() noexcept;

}  // namespace aquifer

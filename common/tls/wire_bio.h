// WireBio: lets OpenSSL read from bytes that have arrived and write into a ChunkQueue, without io
// of its own and without memory between them. For .cc files of common/tls only.
#pragma once

#include "common/base/bytes.h"
#include "common/io/chunk_queue.h"
#include "common/tls/openssl.h"

namespace aquifer::tls {

/// What one connection's BIO works on: set for the length of one call into OpenSSL, empty between
/// calls.
struct Wire {
  ByteView input;                    ///< consumed from the front
  io::ChunkQueue* output = nullptr;  ///< must be set while OpenSSL may write
};

/// A BIO on `wire`, which must stay where it is as long as the BIO lives. Null when memory is out.
[[nodiscard]] BIO* make_wire_bio(Wire& wire) noexcept;

/// Sets a Wire's two ends for one call and takes them away after it.
class WireCall {
 public:
  WireCall(Wire& wire, ByteView input, io::ChunkQueue& output) noexcept : wire_(wire) {
    wire_.input = input;
    wire_.output = &output;
  }
  ~WireCall() { wire_ = {}; }
  WireCall(const WireCall&) = delete;
  WireCall& operator=(const WireCall&) = delete;

  /// What OpenSSL has not read.
  [[nodiscard]] ByteView rest() const noexcept { return wire_.input; }

 private:
  Wire& wire_;
};

}  // namespace aquifer::tls

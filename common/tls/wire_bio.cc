#include "common/tls/wire_bio.h"

#include "common/base/assert.h"

#include <algorithm>
#include <cstring>

namespace aquifer::tls {
namespace {

Wire& wire_of(BIO* bio) noexcept {
  return *static_cast<Wire*>(BIO_get_data(bio));
}

int read_some(BIO* bio, char* data, std::size_t size, std::size_t* done) noexcept {
  BIO_clear_retry_flags(bio);
  ByteView& input = wire_of(bio).input;
  const std::size_t count = std::min(size, input.size());
  if (count == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(data, input.data(), count);
  input = input.subspan(count);
  *done = count;
  return 1;
}

// Never refuses: whoever seals bounds the queue beforehand.
int write_all(BIO* bio, const char* data, std::size_t size, std::size_t* done) noexcept {
  BIO_clear_retry_flags(bio);
  io::ChunkQueue* output = wire_of(bio).output;
  AQUIFER_ASSERT(output != nullptr);
  output->append({reinterpret_cast<const std::uint8_t*>(data), size});
  *done = size;
  return 1;
}

long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) noexcept {
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

int created(BIO* bio) noexcept {
  BIO_set_init(bio, 1);
  return 1;
}

BIO_METHOD* make_method() noexcept {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "aquifer wire");
  AQUIFER_ASSERT(method != nullptr);
  BIO_meth_set_read_ex(method, read_some);
  BIO_meth_set_write_ex(method, write_all);
  BIO_meth_set_ctrl(method, control);
  BIO_meth_set_create(method, created);
  return method;
}

}  // namespace

BIO* make_wire_bio(Wire& wire) noexcept {
  // Made once for the process: OpenSSL has only 127 method indexes. Never freed: connections may
  // outlive main().
  static const BIO_METHOD* const method = make_method();
  BIO* bio = BIO_new(method);
  if (bio != nullptr) BIO_set_data(bio, &wire);
  return bio;
}

}  // namespace aquifer::tls

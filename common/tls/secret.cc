#include "common/tls/secret.h"

#include "common/base/assert.h"
#include "common/tls/openssl.h"

#include <algorithm>

namespace aquifer::tls {

Secret::Secret(ByteView bytes) noexcept : size_(bytes.size()) {
  AQUIFER_ASSERT(bytes.size() <= kBytesMax);
  std::ranges::copy(bytes, bytes_.begin());
}

Secret::~Secret() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

}  // namespace aquifer::tls

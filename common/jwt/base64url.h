// base64url without padding (RFC 4648 section 5, RFC 7515 section 2).
#pragma once

#include "common/base/result.h"

#include <string>
#include <string_view>

namespace aquifer::jwt {

/// Errors: invalid, for other characters, padding, a length that nothing has, and bits that are
/// left over.
[[nodiscard]] Result<std::string> decode_base64url(std::string_view text);
[[nodiscard]] std::string encode_base64url(std::string_view bytes);

}  // namespace aquifer::jwt

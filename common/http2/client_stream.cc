#include "common/http2/client_stream.h"

#include <utility>

namespace aquifer::http2 {

ClientStream::ClientStream(ClientConnection& connection, Stream& stream) noexcept
    : StreamHandle(connection, stream) {}

coro::Task<Result<http::ResponseHead>> ClientStream::response(coro::CancelSource* cancel) {
  for (;;) {
    if (!stream_.interims.empty()) {
      http::ResponseHead interim = std::move(stream_.interims.front());
      stream_.interims.erase(stream_.interims.begin());
      co_return std::move(interim);
    }
    AQUIFER_ASSERT(!stream_.head_given);
    if (stream_.head_came) {
      stream_.head_given = true;
      co_return std::move(stream_.response);
    }
    if (stream_.failed) co_return std::unexpected(*stream_.failed);
    const Status woken = co_await stream_.readable.wait(cancel);
    if (!woken) co_return std::unexpected(woken.error());
  }
}

}  // namespace aquifer::http2

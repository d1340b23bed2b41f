#include "common/tls/openssl_record_layer.h"

#include "common/base/assert.h"
#include "common/tls/tls_error.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace aquifer::tls {
namespace {

constexpr std::size_t kRecordBytesMax = SSL3_RT_MAX_PLAIN_LENGTH;

// Cuts pieces into what is written at once: whole records straight from a piece where it is long
// enough, else one record gathered from several, so that a 9-byte frame header does not become a
// record of its own.
class RecordCutter {
 public:
  explicit RecordCutter(std::span<const ByteView> pieces) noexcept : pieces_(pieces) {
    skip_empty();
  }

  [[nodiscard]] bool done() const noexcept { return pieces_.empty(); }

  [[nodiscard]] ByteView next() {
    const ByteView rest = pieces_.front().subspan(offset_);
    const bool last = pieces_.size() == 1;
    if (rest.size() >= kRecordBytesMax || last) {
      const std::size_t whole = last ? rest.size() : rest.size() - rest.size() % kRecordBytesMax;
      advance(whole);
      return rest.first(whole);
    }
    return gather();
  }

 private:
  [[nodiscard]] ByteView gather() {
    gathered_.clear();
    gathered_.reserve(kRecordBytesMax);
    while (!done() && gathered_.size() < kRecordBytesMax) {
      const ByteView rest = pieces_.front().subspan(offset_);
      const std::size_t count = std::min(rest.size(), kRecordBytesMax - gathered_.size());
      gathered_.insert(gathered_.end(), rest.begin(),
                       rest.begin() + static_cast<std::ptrdiff_t>(count));
      advance(count);
    }
    return gathered_;
  }
  void advance(std::size_t count) noexcept {
    offset_ += count;
    skip_empty();
  }
  void skip_empty() noexcept {
    while (!pieces_.empty() && offset_ == pieces_.front().size()) {
      pieces_ = pieces_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const ByteView> pieces_;
  std::size_t offset_ = 0;
  std::vector<std::uint8_t> gathered_;
};

}  // namespace

OpensslRecordLayer::OpensslRecordLayer(SslPtr ssl, std::unique_ptr<Wire> wire) noexcept
    : wire_(std::move(wire)), ssl_(std::move(ssl)) {
  // The handshake's own data ends with the handshake.
  SSL_set_app_data(ssl_.get(), nullptr);
}

OpensslRecordLayer::~OpensslRecordLayer() = default;

bool OpensslRecordLayer::write(ByteView piece) noexcept {
  std::size_t written = 0;
  return SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &written) == 1 &&
         written == piece.size();
}

Error OpensslRecordLayer::fail_for_good(const char* what) {
  failure_ = take_tls_error(Errc::tls, what);
  failure_text_ = last_tls_error_text();
  return *failure_;
}

Error OpensslRecordLayer::failed_before() const {
  set_tls_error_text(failure_text_);
  return *failure_;
}

Status OpensslRecordLayer::seal(std::span<const ByteView> plaintext, io::ChunkQueue& out) {
  if (closed_) return fail(Errc::closed, "sealing after close_notify");
  if (failure_) return fail(failed_before());
  clear_tls_errors();
  const WireCall call(*wire_, {}, out);
  RecordCutter cutter(plaintext);
  while (!cutter.done()) {
    if (write(cutter.next())) continue;
    return fail(fail_for_good("sealing TLS records"));
  }
  return {};
}

Result<std::size_t> OpensslRecordLayer::open(ByteView& ciphertext, MutableBytes plaintext,
                                             io::ChunkQueue& reply) {
  if (peer_closed_ || failure_) ciphertext = {};
  if (failure_) return fail(failed_before());
  if (peer_closed_) return 0;
  clear_tls_errors();
  const WireCall call(*wire_, ciphertext, reply);
  std::size_t total = 0;
  while (total < plaintext.size()) {
    std::size_t count = 0;
    const int verdict =
        SSL_read_ex(ssl_.get(), plaintext.data() + total, plaintext.size() - total, &count);
    if (verdict == 1) {
      total += count;
      continue;
    }
    const int reason = SSL_get_error(ssl_.get(), verdict);
    if (reason == SSL_ERROR_WANT_READ) break;
    if (reason == SSL_ERROR_ZERO_RETURN) {
      peer_closed_ = true;
      ciphertext = {};
      return total;
    }
    ciphertext = {};
    const Error error = fail_for_good("opening TLS records");
    // What came whole before the broken record was authentic: give it first, the error next time.
    if (total > 0) return total;
    return fail(error);
  }
  ciphertext = call.rest();
  return total;
}

Status OpensslRecordLayer::close_notify(io::ChunkQueue& out) {
  if (closed_ || failure_) return {};
  clear_tls_errors();
  const WireCall call(*wire_, {}, out);
  closed_ = true;
  // 0: sent, the peer's has not come yet. 1: both.
  if (SSL_shutdown(ssl_.get()) >= 0) return {};
  return fail(fail_for_good("sending close_notify"));
}

void OpensslRecordLayer::request_key_update() noexcept {
  AQUIFER_ASSERT(SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
}

}  // namespace aquifer::tls

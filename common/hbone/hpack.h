// Header compression (RFC 7541) by nghttp2's coder, with a table of size 0 in both directions:
// blocks then depend on nothing before them, a session has nothing to remember, and its state can
// be written down.
//
// What has no state between blocks is one object a thread, made at first use and never seen outside
// hpack.cc: an idle session holds no coder. Only until the peer has taken over our SETTINGS does a
// session own an inflater.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/hbone/headers.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

struct nghttp2_hd_inflater;

namespace aquifer::hbone {

/// Fields in one header list. A CONNECT has 5 or 6, proxies add a dozen; a list of small fields
/// costs more than its bytes.
inline constexpr std::size_t kHeaderCountMax = 128;

/// Room encode_header_block() needs for these fields.
[[nodiscard]] std::size_t header_block_bound(std::span<const HeaderField> fields) noexcept;
/// Whether a block starts by saying that our table has size 0. Due in the first block, and in the
/// first one after the peer changed SETTINGS_HEADER_TABLE_SIZE.
enum class TableUpdate : std::uint8_t { none, to_zero };
/// Writes a block without indexing anything; returns its length.
[[nodiscard]] std::size_t encode_header_block(std::span<const HeaderField> fields,
                                              TableUpdate update, MutableBytes out);
/// Size of the list as SETTINGS_MAX_HEADER_LIST_SIZE counts it (RFC 9113 section 6.5.2).
[[nodiscard]] std::size_t header_list_size(std::span<const HeaderField> fields) noexcept;

/// The receiving half of one session.
class HeaderDecoder {
 public:
  /// `table_size`: the SETTINGS_HEADER_TABLE_SIZE we announce. 4096 holds until it is acknowledged.
  explicit HeaderDecoder(std::uint32_t table_size) noexcept;
  HeaderDecoder(HeaderDecoder&&) noexcept;
  HeaderDecoder& operator=(HeaderDecoder&&) noexcept;
  ~HeaderDecoder();

  /// The peer acknowledged our SETTINGS: its next block has to begin with a table size update if
  /// ours is smaller than the initial one (RFC 9113 section 4.3.1).
  void settings_acked();

  enum class Outcome : std::uint8_t {
    ok,
    too_large,  ///< decoded to the end, but beyond `list_size_max` or kHeaderCountMax: fields
                ///< behind it were left out
    error,      ///< COMPRESSION_ERROR
  };
  /// Decodes one whole block, giving its fields to `sink` in order; the views die with each call.
  [[nodiscard]] Outcome decode(ByteView block, std::size_t list_size_max, HeaderValidator& sink);

  /// True exactly when the decoder can be made again from two booleans: acked, and
  /// update_expected().
  [[nodiscard]] bool exportable() const noexcept;
  [[nodiscard]] bool update_expected() const noexcept { return update_expected_; }
  [[nodiscard]] static HeaderDecoder restore(std::uint32_t table_size, bool acked,
                                             bool update_expected);
  /// The session has an inflater of its own (about 1.5 KiB).
  [[nodiscard]] bool has_own_inflater() const noexcept { return own_ != nullptr; }

 private:
  struct Delete {
    void operator()(nghttp2_hd_inflater* inflater) const noexcept;
  };
  [[nodiscard]] nghttp2_hd_inflater* inflater();

  std::unique_ptr<nghttp2_hd_inflater, Delete> own_;
  std::uint32_t table_size_;
  bool acked_ = false;
  bool update_expected_ = false;
};

}  // namespace aquifer::hbone

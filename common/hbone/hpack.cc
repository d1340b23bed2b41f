#include "common/hbone/hpack.h"

#include "common/base/assert.h"
#include "common/hbone/frame.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <utility>

namespace aquifer::hbone {
namespace {

constexpr std::uint8_t kTableUpdateToZero = 0x20;  // RFC 7541 section 6.3: 001 and a 5-bit 0
constexpr std::size_t kFieldOverhead = 32;         // RFC 7541 section 4.1

struct DeleteDeflater {
  void operator()(nghttp2_hd_deflater* deflater) const noexcept {
    nghttp2_hd_deflate_del(deflater);
  }
};
struct DeleteInflater {
  void operator()(nghttp2_hd_inflater* inflater) const noexcept {
    nghttp2_hd_inflate_del(inflater);
  }
};

nghttp2_hd_deflater* new_stateless_deflater() {
  nghttp2_hd_deflater* deflater = nullptr;
  AQUIFER_ASSERT(nghttp2_hd_deflate_new(&deflater, 0) == 0);
  // Its first block would begin with the table update; sessions write that themselves when it is
  // due.
  std::array<std::uint8_t, 16> ignored;
  AQUIFER_ASSERT(nghttp2_hd_deflate_hd(deflater, ignored.data(), ignored.size(), nullptr, 0) >= 0);
  return deflater;
}

nghttp2_hd_inflater* new_stateless_inflater() {
  nghttp2_hd_inflater* inflater = nullptr;
  AQUIFER_ASSERT(nghttp2_hd_inflate_new(&inflater) == 0);
  AQUIFER_ASSERT(nghttp2_hd_inflate_change_table_size(inflater, 0) == 0);
  // It now insists on an update at the start of the next block: this is the one the session's peer
  // sent earlier.
  nghttp2_nv field;
  int flags = 0;
  AQUIFER_ASSERT(nghttp2_hd_inflate_hd2(inflater, &field, &flags, &kTableUpdateToZero, 1, 1) == 1);
  nghttp2_hd_inflate_end_headers(inflater);
  return inflater;
}

// One a thread: with a table of size 0 they carry nothing from one block to the next.
thread_local std::unique_ptr<nghttp2_hd_deflater, DeleteDeflater> shared_deflater;
thread_local std::unique_ptr<nghttp2_hd_inflater, DeleteInflater> shared_inflater;

}  // namespace

std::size_t header_list_size(std::span<const HeaderField> fields) noexcept {
  std::size_t size = 0;
  for (const HeaderField& field : fields)
    size += field.name.size() + field.value.size() + kFieldOverhead;
  return size;
}

std::size_t header_block_bound(std::span<const HeaderField> fields) noexcept {
  // A literal field is a byte, two lengths of at most 5 bytes, and two strings that Huffman coding
  // never lengthens (nghttp2 uses it only where it is shorter). The overhead of 32 covers that
  // generously, also nghttp2's own bound.
  return header_list_size(fields) + 16;
}

std::size_t encode_header_block(std::span<const HeaderField> fields, TableUpdate update,
                                MutableBytes out) {
  AQUIFER_ASSERT(fields.size() <= kHeaderFieldsMax);
  AQUIFER_ASSERT(out.size() >= header_block_bound(fields));
  std::array<nghttp2_nv, kHeaderFieldsMax> list;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    list[i].name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(fields[i].name.data()));
    list[i].namelen = fields[i].name.size();
    list[i].value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(fields[i].value.data()));
    list[i].valuelen = fields[i].value.size();
    list[i].flags = NGHTTP2_NV_FLAG_NONE;
  }
  if (!shared_deflater) shared_deflater.reset(new_stateless_deflater());
  std::size_t size = 0;
  if (update == TableUpdate::to_zero) out[size++] = kTableUpdateToZero;
  const auto written = nghttp2_hd_deflate_hd(shared_deflater.get(), out.data() + size,
                                             out.size() - size, list.data(), fields.size());
  AQUIFER_ASSERT(written >= 0);
  return size + static_cast<std::size_t>(written);
}

void HeaderDecoder::Delete::operator()(nghttp2_hd_inflater* inflater) const noexcept {
  nghttp2_hd_inflate_del(inflater);
}

HeaderDecoder::HeaderDecoder(std::uint32_t table_size) noexcept : table_size_(table_size) {}
HeaderDecoder::HeaderDecoder(HeaderDecoder&&) noexcept = default;
HeaderDecoder& HeaderDecoder::operator=(HeaderDecoder&&) noexcept = default;
HeaderDecoder::~HeaderDecoder() = default;

nghttp2_hd_inflater* HeaderDecoder::inflater() {
  if (own_) return own_.get();
  if (acked_ && table_size_ == 0 && !update_expected_) {
    if (!shared_inflater) shared_inflater.reset(new_stateless_inflater());
    return shared_inflater.get();
  }
  nghttp2_hd_inflater* made = nullptr;
  AQUIFER_ASSERT(nghttp2_hd_inflate_new(&made) == 0);
  own_.reset(made);
  if (acked_) AQUIFER_ASSERT(nghttp2_hd_inflate_change_table_size(made, table_size_) == 0);
  return made;
}

void HeaderDecoder::settings_acked() {
  if (acked_) return;
  acked_ = true;
  const std::size_t in_use = own_ ? nghttp2_hd_inflate_get_max_dynamic_table_size(own_.get())
                                  : std::size_t{kDefaultHeaderTableSize};
  update_expected_ = in_use > table_size_;
  // An inflater that saw no block yet is made when the first one comes.
  if (own_) AQUIFER_ASSERT(nghttp2_hd_inflate_change_table_size(own_.get(), table_size_) == 0);
}

HeaderDecoder::Outcome HeaderDecoder::decode(ByteView block, std::size_t list_size_max,
                                             HeaderValidator& sink) {
  nghttp2_hd_inflater* const with = inflater();
  Outcome outcome = Outcome::ok;
  std::size_t list_size = 0;
  std::size_t count = 0;
  for (;;) {
    nghttp2_nv field;
    int flags = 0;
    const auto used = nghttp2_hd_inflate_hd2(with, &field, &flags, block.data(), block.size(), 1);
    if (used < 0) {
      // The coder is of no use any more; the next session on this thread gets a new one.
      if (own_) {
        own_.reset();
      } else {
        shared_inflater.reset();
      }
      return Outcome::error;
    }
    block = block.subspan(static_cast<std::size_t>(used));
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      list_size += field.namelen + field.valuelen + kFieldOverhead;
      if (list_size > list_size_max || ++count > kHeaderCountMax) {
        outcome = Outcome::too_large;
      } else {
        sink.add({reinterpret_cast<const char*>(field.name), field.namelen},
                 {reinterpret_cast<const char*>(field.value), field.valuelen});
      }
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
  }
  nghttp2_hd_inflate_end_headers(with);
  if (acked_) {
    update_expected_ = false;
    if (table_size_ == 0) own_.reset();
  }
  return outcome;
}

bool HeaderDecoder::exportable() const noexcept {
  if (!own_ || (acked_ && update_expected_)) return true;
  return nghttp2_hd_inflate_get_dynamic_table_size(own_.get()) == 0 &&
         nghttp2_hd_inflate_get_max_dynamic_table_size(own_.get()) == kDefaultHeaderTableSize;
}

HeaderDecoder HeaderDecoder::restore(std::uint32_t table_size, bool acked, bool update_expected) {
  HeaderDecoder decoder(table_size);
  decoder.acked_ = acked;
  decoder.update_expected_ = update_expected;
  return decoder;
}

}  // namespace aquifer::hbone

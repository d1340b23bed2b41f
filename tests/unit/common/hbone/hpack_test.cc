// Header coding with a table of size 0, and with peers that do not know of it yet.
#include "common/hbone/hpack.h"

#include "tests/unit/common/hbone/session_harness.h"

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <array>
#include <string>
#include <vector>

namespace aquifer::hbone {
namespace {

using Outcome = HeaderDecoder::Outcome;
constexpr std::size_t kPlenty = 65536;

/// A peer's coder that indexes whatever it can.
class IndexingEncoder {
 public:
  IndexingEncoder() { REQUIRE(nghttp2_hd_deflate_new(&deflater_, 4096) == 0); }
  ~IndexingEncoder() { nghttp2_hd_deflate_del(deflater_); }
  IndexingEncoder(const IndexingEncoder&) = delete;
  IndexingEncoder& operator=(const IndexingEncoder&) = delete;

  void table_size(std::size_t size) {
    REQUIRE(nghttp2_hd_deflate_change_table_size(deflater_, size) == 0);
  }
  std::string encode(const std::vector<HeaderField>& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), 0});
    }
    std::string out(4096, '\0');
    const auto size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(out.data()),
                                            out.size(), list.data(), list.size());
    REQUIRE(size >= 0);
    out.resize(static_cast<std::size_t>(size));
    return out;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

const std::vector<HeaderField> kRequest = {
    {":method", "CONNECT"}, {":authority", "10.0.0.1:80"}, {"baggage", "service.name=a"}};

std::string encode(const std::vector<HeaderField>& fields, TableUpdate update) {
  std::string out(header_block_bound(fields), '\0');
  out.resize(encode_header_block(fields, update,
                                 {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}));
  return out;
}

Outcome decode(HeaderDecoder& decoder, const std::string& block, ConnectRequest* request = nullptr,
               std::size_t list_size_max = kPlenty) {
  HeaderValidator sink(HeaderValidator::Kind::request);
  const Outcome outcome = decoder.decode(as_bytes(block), list_size_max, sink);
  if (request != nullptr) *request = sink.request();
  return outcome;
}

TEST_CASE("blocks we write depend on nothing before them: the same list gives the same bytes") {
  const std::string first = encode(kRequest, TableUpdate::none);
  CHECK(encode(kRequest, TableUpdate::none) == first);
  CHECK(encode(kRequest, TableUpdate::to_zero) == '\x20' + first);
  HeaderDecoder decoder(0);
  ConnectRequest request;
  REQUIRE(decode(decoder, first, &request) == Outcome::ok);
  CHECK(request.authority == "10.0.0.1:80");
  CHECK(request.baggage == "service.name=a");
}

TEST_CASE("the bound holds for short, long and incompressible fields") {
  for (const std::size_t length : {0, 1, 126, 127, 128, 4000, 70000}) {
    for (const char c : {'0', '\x7f', '~'}) {
      const std::string value(length, c);
      const std::vector<HeaderField> fields = {{"baggage", value}, {"a", value}};
      CHECK(encode(fields, TableUpdate::to_zero).size() <= header_block_bound(fields));
    }
  }
}

TEST_CASE(
    "a peer that indexes before it knows our table size is understood (RFC 7541 section 4.2)") {
  HeaderDecoder decoder(0);
  IndexingEncoder peer;
  REQUIRE(decode(decoder, peer.encode(kRequest)) == Outcome::ok);
  const std::string indexed = peer.encode(kRequest);
  CHECK(indexed.size() <= 3);
  ConnectRequest request;
  REQUIRE(decode(decoder, indexed, &request) == Outcome::ok);
  CHECK(request.baggage == "service.name=a");
  CHECK(decoder.has_own_inflater());
  CHECK_FALSE(decoder.exportable());

  decoder.settings_acked();
  CHECK(decoder.update_expected());
  peer.table_size(0);
  REQUIRE(decode(decoder, peer.encode(kRequest), &request) == Outcome::ok);
  CHECK(request.baggage == "service.name=a");
  // From now on there is nothing to remember.
  CHECK_FALSE(decoder.has_own_inflater());
  CHECK(decoder.exportable());
  REQUIRE(decode(decoder, peer.encode(kRequest), &request) == Outcome::ok);
  CHECK(request.authority == "10.0.0.1:80");
}

TEST_CASE(
    "a block without the table update after our SETTINGS were acknowledged is an error (RFC 9113 "
    "section 4.3.1)") {
  HeaderDecoder decoder(0);
  decoder.settings_acked();
  CHECK(decode(decoder, encode(kRequest, TableUpdate::none)) == Outcome::error);
  HeaderDecoder other(0);
  other.settings_acked();
  CHECK(decode(other, encode(kRequest, TableUpdate::to_zero)) == Outcome::ok);
}

TEST_CASE(
    "a peer that goes on indexing after that is an error, and costs no other session anything") {
  HeaderDecoder broken(0);
  broken.settings_acked();
  REQUIRE(decode(broken, encode(kRequest, TableUpdate::to_zero)) == Outcome::ok);
  // Index 62 is the first of the dynamic table, which is empty.
  CHECK(decode(broken, "\xbe") == Outcome::error);
  // A table update above our limit.
  HeaderDecoder greedy(0);
  greedy.settings_acked();
  REQUIRE(decode(greedy, encode(kRequest, TableUpdate::to_zero)) == Outcome::ok);
  CHECK(decode(greedy, "\x3f\xe1\x1f") == Outcome::error);

  HeaderDecoder healthy(0);
  healthy.settings_acked();
  REQUIRE(decode(healthy, encode(kRequest, TableUpdate::to_zero)) == Outcome::ok);
  CHECK(decode(healthy, encode(kRequest, TableUpdate::none)) == Outcome::ok);
}

TEST_CASE("lists beyond the limits are read to their end and told apart from broken ones") {
  HeaderDecoder decoder(0);
  const std::string block = encode(kRequest, TableUpdate::none);
  const std::size_t size = header_list_size(kRequest);
  CHECK(size == 7 + 7 + 10 + 11 + 7 + 14 + 3 * 32);
  CHECK(decode(decoder, block, nullptr, size) == Outcome::ok);
  CHECK(decode(decoder, block, nullptr, size - 1) == Outcome::too_large);
  std::vector<HeaderField> many(kHeaderCountMax, {"a", ""});
  CHECK(decode(decoder, test::block(many)) == Outcome::ok);
  many.push_back({"a", ""});
  CHECK(decode(decoder, test::block(many)) == Outcome::too_large);
}

TEST_CASE("a cut block is an error, not a shorter list") {
  const std::string block = encode(kRequest, TableUpdate::none);
  // Cuts between fields are whole blocks; the last field of this one begins with "baggage" as a
  // literal name.
  HeaderDecoder decoder(0);
  CHECK(decode(decoder, block.substr(0, block.size() - 1)) == Outcome::error);
  HeaderDecoder empty(0);
  CHECK(decode(empty, "") == Outcome::ok);
}

TEST_CASE("a decoder made again from two booleans goes on where the first one stopped") {
  for (const bool acked : {false, true}) {
    HeaderDecoder first(0);
    if (acked) first.settings_acked();
    REQUIRE(first.exportable());
    HeaderDecoder second = HeaderDecoder::restore(0, acked, first.update_expected());
    // Without the update: fine only before the acknowledgement.
    CHECK(decode(second, encode(kRequest, TableUpdate::none)) ==
          (acked ? Outcome::error : Outcome::ok));
    HeaderDecoder third = HeaderDecoder::restore(0, acked, first.update_expected());
    CHECK(decode(third, encode(kRequest, TableUpdate::to_zero)) == Outcome::ok);
  }
}

}  // namespace
}  // namespace aquifer::hbone

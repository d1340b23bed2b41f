// Domain names on the wire and as text.
#include "ztunnel/dns/name.h"

#include "tests/unit/ztunnel/dns/messages.h"

#include <doctest/doctest.h>

namespace aquifer::ztunnel::dns {
namespace {

using namespace test;

ByteView bytes_of(const Message& message) {
  return message;
}

TEST_CASE("a name is read in lower case, without a dot at its end") {
  Message wire;
  put_name(wire, "WWW.Example.COM");
  const auto name = read_name(bytes_of(wire), 0);
  REQUIRE(name.has_value());
  CHECK(name->text == "www.example.com");
  CHECK(name->end == wire.size());
}

TEST_CASE("the root is an empty text") {
  const Message wire{0};
  const auto name = read_name(bytes_of(wire), 0);
  REQUIRE(name.has_value());
  CHECK(name->text.empty());
  CHECK(name->end == 1);
}

TEST_CASE("bytes that no hostname has are escaped, so that they cannot pretend to be one") {
  const Message dot{3, 'a', '.', 'b', 0};
  CHECK(read_name(bytes_of(dot), 0)->text == "a\\.b");
  const Message zero{2, 0, 'x', 0};
  CHECK(read_name(bytes_of(zero), 0)->text == "\\000x");
  const Message slash{1, '\\', 0};
  CHECK(read_name(bytes_of(slash), 0)->text == "\\\\");
  const Message high{1, 0xff, 0};
  CHECK(read_name(bytes_of(high), 0)->text == "\\255");
}

TEST_CASE("compression is followed backwards (RFC 1035 section 4.1.4)") {
  Message wire;
  put_name(wire, "example.com");
  const std::size_t at = wire.size();
  wire.insert(wire.end(), {3, 'w', 'w', 'w', 0xc0, 0x00, 0x77});
  const auto name = read_name(bytes_of(wire), at);
  REQUIRE(name.has_value());
  CHECK(name->text == "www.example.com");
  CHECK(name->end == wire.size() - 1);
  CHECK(skip_name(bytes_of(wire), at).value() == wire.size() - 1);
}

TEST_CASE("a pointer to itself, forward, or in a circle is an error and not a loop") {
  CHECK_FALSE(read_name(bytes_of({0xc0, 0x00}), 0).has_value());
  CHECK_FALSE(read_name(bytes_of({0xc0, 0x02, 0}), 0).has_value());
  // a -> the pointer before it -> a
  const Message circle{0xc0, 0x02, 1, 'a', 0xc0, 0x00};
  CHECK_FALSE(read_name(bytes_of(circle), 2).has_value());
  CHECK_FALSE(read_name(bytes_of(circle), 4).has_value());
}

TEST_CASE("a pointer in a question is refused: nothing stands before it") {
  Message wire;
  put_name(wire, "com");
  const std::size_t at = wire.size();
  wire.insert(wire.end(), {0xc0, 0x00});
  CHECK(read_name(bytes_of(wire), at).has_value());
  CHECK_FALSE(read_plain_name(bytes_of(wire), at).has_value());
}

TEST_CASE("names end inside the message, and are at most 255 bytes long") {
  CHECK_FALSE(read_name(bytes_of({}), 0).has_value());
  CHECK_FALSE(read_name(bytes_of({5, 'a'}), 0).has_value());
  CHECK_FALSE(read_name(bytes_of({1, 'a'}), 0).has_value());
  CHECK_FALSE(read_name(bytes_of({0xc0}), 0).has_value());
  CHECK_FALSE(read_name(bytes_of({0x40, 0}), 0).has_value());
  CHECK_FALSE(skip_name(bytes_of({0x80, 0}), 0).has_value());
  Message longest;
  for (int i = 0; i < 127; ++i) longest.insert(longest.end(), {1, 'a'});
  longest.push_back(0);
  CHECK(longest.size() == kNameBytesMax);
  CHECK(read_name(bytes_of(longest), 0).has_value());
  longest.back() = 1;
  longest.insert(longest.end(), {'a', 0});
  CHECK_FALSE(read_name(bytes_of(longest), 0).has_value());
}

TEST_CASE("what was read can be written and read again as the same name") {
  for (const char* text :
       {"", "a", "www.example.com", "a\\.b.c", "\\000\\255.x", "*.example.com"}) {
    Message wire;
    REQUIRE(append_name(wire, text));
    CHECK(read_name(bytes_of(wire), 0)->text == text);
  }
}

TEST_CASE("what is no name is not written at all") {
  const std::string label(64, 'a');
  const std::string fine(63, 'a');
  std::string total;
  for (int i = 0; i < 4; ++i) total += fine + (i < 3 ? "." : "");
  for (const std::string& text :
       {std::string("a..b"), std::string("."), std::string("a."), label, total, std::string("a\\"),
        std::string("a\\25"), std::string("\\300")}) {
    Message wire{7};
    CHECK_FALSE(append_name(wire, text));
    CHECK(wire == Message{7});
  }
  Message wire;
  CHECK(append_name(wire, fine));
}

TEST_CASE("a domain is stripped at a dot only, and never the whole name") {
  CHECK(strip_domain("server.svc.cluster.local", "cluster.local") == "server.svc");
  CHECK(strip_domain("servercluster.local", "cluster.local").empty());
  CHECK(strip_domain("cluster.local", "cluster.local").empty());
  CHECK(strip_domain("a.b", "").empty());
  CHECK(strip_domain("a.b", "longer.than.that").empty());
}

TEST_CASE("written names become canonical") {
  CHECK(canonical_name("Cluster.Local.") == "cluster.local");
  CHECK(canonical_name("a") == "a");
  CHECK(canonical_name("").empty());
}

}  // namespace
}  // namespace aquifer::ztunnel::dns

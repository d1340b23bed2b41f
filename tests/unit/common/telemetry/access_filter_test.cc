#include "common/telemetry/access_filter.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace aquifer::telemetry;

namespace {

AccessFilter parsed(std::string_view text) {
  auto filter = AccessFilter::parse(text);
  REQUIRE_MESSAGE(filter.has_value(), filter.error());
  return *filter;
}

/// How many of these are taken: well, failed, denied.
std::string taken(const AccessFilter& filter, std::string_view ns) {
  std::string out;
  if (filter.takes(ns, Outcome::well, 0)) out += "well ";
  if (filter.takes(ns, Outcome::failed, 0)) out += "failed ";
  if (filter.takes(ns, Outcome::denied, 0)) out += "denied ";
  return out;
}

struct ResetFilter {
  ~ResetFilter() { set_access_filter({}); }
};

}  // namespace

TEST_CASE("each word lets through a little more, and only `none` hides denials") {
  CHECK(taken(parsed("*:none"), "a") == "");
  CHECK(taken(parsed("*:denied"), "a") == "denied ");
  CHECK(taken(parsed("*:error"), "a") == "failed denied ");
  CHECK(taken(parsed("*:0%"), "a") == "failed denied ");
  CHECK(taken(parsed("*:0.5%"), "a") == "well failed denied ");
  CHECK(taken(parsed("*:all"), "a") == "well failed denied ");
  CHECK(taken(parsed(""), "a") == "well failed denied ");
}

TEST_CASE("a namespace's own clause goes before that of all others") {
  const AccessFilter filter = parsed("shop:denied, batch:1%, *:error");
  CHECK(taken(filter, "shop") == "denied ");
  CHECK(taken(filter, "batch") == "well failed denied ");
  CHECK(taken(filter, "other") == "failed denied ");
  CHECK(taken(filter, "") == "failed denied ");
  CHECK(taken(parsed("shop:none"), "other") == "well failed denied ");
  CHECK(taken(parsed("error"), "other") == "failed denied ");
}

TEST_CASE("a share is the share of draws, to a millionth") {
  const AccessFilter filter = parsed("a:2.5%,b:0.0001%");
  int of_a = 0;
  int of_b = 0;
  for (std::uint32_t draw = 0; draw < 1'000'000; ++draw) {
    of_a += filter.takes("a", Outcome::well, draw) ? 1 : 0;
    of_b += filter.takes("b", Outcome::well, draw) ? 1 : 0;
  }
  CHECK(of_a == 25'000);
  CHECK(of_b == 1);
}

TEST_CASE("opening events are written only where every end is") {
  const AccessFilter filter = parsed("a:99%,b:all,*:error");
  CHECK_FALSE(filter.takes_openings("a"));
  CHECK(filter.takes_openings("b"));
  CHECK_FALSE(filter.takes_openings("c"));
}

TEST_CASE("a filter is told as it can be given again") {
  for (std::string_view text : {"*:all", "a:none,b:denied,c:error,d:1.25%,*:50%"})
    CHECK(parsed(text).to_string() == text);
  CHECK(parsed("z:all,a:100%").to_string() == "a:all,z:all,*:all");
  CHECK(parsed("").takes_all());
  CHECK_FALSE(parsed("a:error").takes_all());
}

TEST_CASE("what cannot be meant is refused with the clause and what to write") {
  const auto error = [](std::string_view text) {
    const auto filter = AccessFilter::parse(text);
    REQUIRE_FALSE(filter.has_value());
    return filter.error();
  };
  CHECK(error("shop:denyed") ==
        "clause \"shop:denyed\": write all, error, denied, none or a share such as 1%");
  CHECK(error("shop:101%") == "clause \"shop:101%\": a share is between 0% and 100%");
  CHECK(error("shop:-1%") == "clause \"shop:-1%\": a share is between 0% and 100%");
  CHECK(error("shop:nan%") == "clause \"shop:nan%\": a share is between 0% and 100%");
  CHECK(error("shop:%") == "clause \"shop:%\": a share is between 0% and 100%");
  CHECK(error("a:all,a:error") == "clause \"a:error\": there is another for this namespace");
  CHECK(error("all,*:error") == "clause \"*:error\": there is another for all namespaces");
  CHECK(error("a:all,") == "clause \"\": write NAMESPACE:WHAT, or *:WHAT for all others");
  CHECK(error("Shop:all") ==
        "clause \"Shop:all\": a namespace has lower-case letters, digits and dashes");
  std::string many;
  for (std::size_t i = 0; i <= AccessFilter::kClausesMax; ++i)
    many += "n" + std::to_string(i) + ":all,";
  many += "*:all";
  CHECK_FALSE(AccessFilter::parse(many).has_value());
}

TEST_CASE("the filter in force can be changed while it is asked, and back") {
  const ResetFilter reset;
  CHECK(access_log_takes("shop", Outcome::well));
  set_access_filter(parsed("shop:denied"));
  CHECK_FALSE(access_log_takes("shop", Outcome::failed));
  CHECK(access_log_takes("shop", Outcome::denied));
  CHECK_FALSE(access_log_takes_opening("shop"));
  CHECK(access_filter().to_string() == "shop:denied,*:all");
  set_access_filter(parsed("*:10%"));
  int written = 0;
  for (int i = 0; i < 10'000; ++i) written += access_log_takes("shop", Outcome::well) ? 1 : 0;
  CHECK(written > 700);
  CHECK(written < 1'300);
  set_access_filter({});
  CHECK(access_log_takes("shop", Outcome::failed));
}

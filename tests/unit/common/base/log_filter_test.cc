#include "common/base/log_filter.h"

#include <doctest/doctest.h>

using aquifer::log::Filter;
using aquifer::log::Level;

namespace {
Filter must_parse(std::string_view text) {
  auto filter = Filter::parse(text);
  REQUIRE_MESSAGE(filter.has_value(), text);
  return *filter;
}
}  // namespace

TEST_CASE("a filter nobody set lets info and worse through") {
  Filter filter;
  CHECK(filter.enabled(Level::error, "xds"));
  CHECK(filter.enabled(Level::info, "access"));
  CHECK_FALSE(filter.enabled(Level::debug, "access"));
  CHECK(filter.most() == Level::info);
  CHECK(filter.to_string() == "info");
}

TEST_CASE("the access log can be turned off alone") {
  Filter filter = must_parse("info,access=off");
  CHECK_FALSE(filter.enabled(Level::error, "access"));
  CHECK(filter.enabled(Level::info, "proxy::inbound"));
  CHECK_FALSE(filter.enabled(Level::debug, "proxy::inbound"));
  CHECK(filter.to_string() == "access=off,info");
}

TEST_CASE("a target stands for what is below it, by whole segments") {
  Filter filter = must_parse("warn,proxy=debug");
  CHECK(filter.enabled(Level::debug, "proxy"));
  CHECK(filter.enabled(Level::debug, "proxy::inbound"));
  CHECK_FALSE(filter.enabled(Level::debug, "proxyfactory"));
}

TEST_CASE("the longest target that fits decides, whatever the order of the clauses") {
  for (const char* text :
       {"proxy=warn,proxy::inbound=trace,error", "error,proxy::inbound=trace,proxy=warn"}) {
    Filter filter = must_parse(text);
    CHECK(filter.enabled(Level::trace, "proxy::inbound"));
    CHECK(filter.enabled(Level::trace, "proxy::inbound::tls"));
    CHECK(filter.enabled(Level::warn, "proxy::outbound"));
    CHECK_FALSE(filter.enabled(Level::info, "proxy::outbound"));
    CHECK_FALSE(filter.enabled(Level::warn, "xds"));
    CHECK(filter.most() == Level::trace);
  }
}

TEST_CASE(
    "the program's name stands for all targets but the traffic logs, as it does for the peer") {
  Filter filter = must_parse("info,ztunnel=debug");
  CHECK(filter.enabled(Level::debug, "xds"));
  CHECK(filter.enabled(Level::debug, "ztunnel::xds"));
  CHECK_FALSE(filter.enabled(Level::debug, "access"));
  CHECK_FALSE(filter.enabled(Level::debug, "dns"));
  CHECK(filter.most() == Level::debug);
  CHECK(filter.to_string() == "ztunnel=debug,info");
}

TEST_CASE("the program's name in front of a target is the target") {
  Filter filter = must_parse("ztunnel::proxy=debug");
  CHECK(filter.enabled(Level::debug, "proxy::inbound"));
  CHECK_FALSE(filter.enabled(Level::debug, "xds"));
}

TEST_CASE(
    "a target without a level means all of it; levels come in any case; spaces and empty clauses "
    "do not count") {
  Filter filter = must_parse(" WARN , xds ,,access=Off,");
  CHECK(filter.enabled(Level::trace, "xds"));
  CHECK_FALSE(filter.enabled(Level::info, "proxy"));
  CHECK_FALSE(filter.enabled(Level::error, "access"));
}

TEST_CASE("clauses added later replace those of the same target and keep the others") {
  auto filter = must_parse("info,access=off,xds=debug").with("access=debug,warn");
  REQUIRE(filter.has_value());
  CHECK(filter->enabled(Level::debug, "access"));
  CHECK(filter->enabled(Level::debug, "xds"));
  CHECK_FALSE(filter->enabled(Level::info, "proxy"));
  CHECK(filter->to_string() == "access=debug,xds=debug,warn");
}

TEST_CASE("a clause that means nothing is refused by name, and nothing of the text is applied") {
  for (const char* text : {"access=loud", "=info", "a b=info", "xds=", "info,\n"}) {
    CHECK_MESSAGE(!Filter::parse(text).has_value(), text);
  }
  auto refused = Filter::parse("debug,access=loud");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().find("`access=loud`") != std::string::npos);
}

TEST_CASE("targets in a filter are bounded") {
  std::string text;
  for (int i = 0; i < 64; ++i) text += "t" + std::to_string(i) + "=info,";
  CHECK(Filter::parse(text).has_value());
  CHECK_FALSE(Filter::parse(text + "more=info").has_value());
}

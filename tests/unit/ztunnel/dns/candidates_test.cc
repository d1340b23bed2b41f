// What a name may be short for. The tables are worked out from the written rules.
#include "ztunnel/dns/candidates.h"

#include <doctest/doctest.h>

namespace aquifer::ztunnel::dns {
namespace {

std::string hosts(std::string_view name, std::string_view ns = "shop",
                  std::string_view domain = "cluster.local") {
  std::string out;
  for (const Candidate& candidate : candidates(name, {ns, domain})) {
    if (!out.empty()) out += " ";
    out += candidate.host;
    if (!candidate.stripped.empty()) out += "<" + candidate.stripped + ">";
  }
  return out;
}

TEST_CASE("one label: a service of the pod's namespace") {
  CHECK(hosts("web") == "web web.shop.svc.cluster.local");
}

TEST_CASE("two labels: service and namespace, or a name of two labels") {
  CHECK(hosts("web.other") ==
        "web.other web.other.svc.cluster.local web.other.shop.svc.cluster.local");
}

TEST_CASE("three labels: with svc at the end, and as a pod of a service") {
  CHECK(hosts("web.other.svc") ==
        "web.other.svc web.other.svc.cluster.local web.other.svc.svc.cluster.local");
  CHECK(hosts("www.example.com") == "www.example.com www.example.com.svc.cluster.local");
}

TEST_CASE("four labels: only with svc at the end") {
  CHECK(hosts("web-0.web.other.svc") == "web-0.web.other.svc web-0.web.other.svc.cluster.local");
  CHECK(hosts("a.b.example.com") == "a.b.example.com");
}

TEST_CASE("five labels and more are what they are") {
  CHECK(hosts("a.b.c.d.e") == "a.b.c.d.e");
}

TEST_CASE("a full name ends in search domains too, and comes first as itself") {
  // web.other.svc.cluster.local is also web.other with svc.cluster.local appended, and
  // web.other.svc with cluster.local.
  CHECK(hosts("web.other.svc.cluster.local") ==
        "web.other.svc.cluster.local web.other<web.other> "
        "web.other.shop.svc.cluster.local<web.other> web.other.svc<web.other.svc> "
        "web.other.svc.svc.cluster.local<web.other.svc>");
}

TEST_CASE("each search domain of a pod is taken off, the most specific first") {
  const std::string found = hosts("www.example.com.shop.svc.cluster.local");
  CHECK(found ==
        "www.example.com.shop.svc.cluster.local "
        "www.example.com<www.example.com> www.example.com.svc.cluster.local<www.example.com> "
        "www.example.com.shop<www.example.com.shop> "
        "www.example.com.shop.svc<www.example.com.shop.svc>");
  CHECK(hosts("www.example.com.cluster.local") ==
        "www.example.com.cluster.local www.example.com<www.example.com> "
        "www.example.com.svc.cluster.local<www.example.com>");
}

TEST_CASE("another namespace's search domain is nobody's") {
  CHECK(hosts("web.other.svc.cluster.local", "shop").find("web<web>") == std::string::npos);
  CHECK(hosts("web.shop.svc.cluster.local", "shop").find("web<web>") != std::string::npos);
}

TEST_CASE("another cluster domain") {
  CHECK(hosts("web", "shop", "mesh.example") == "web web.shop.svc.mesh.example");
}

TEST_CASE("the root has no candidates, and a search domain alone is only itself") {
  CHECK(hosts("").empty());
  CHECK(hosts("cluster.local") ==
        "cluster.local cluster.local.svc.cluster.local cluster.local.shop.svc.cluster.local");
}

TEST_CASE("a name with a dot inside a label is no host's, and no domain is taken off it") {
  CHECK(hosts("web\\.cluster.local").empty());
  CHECK(hosts("web\\.shop").empty());
  CHECK(hosts("a\\032b.svc.cluster.local").empty());
}

TEST_CASE("wildcards, the most specific first; none for a lone label") {
  CHECK(wildcards_of("a.b.c") == std::vector<std::string>{"*.b.c", "*.c"});
  CHECK(wildcards_of("a").empty());
}

TEST_CASE("a name of 127 labels does not make 127 look-ups") {
  std::string name = "a";
  for (int i = 1; i < 127; ++i) name += ".a";
  CHECK(wildcards_of(name).size() == 16);
}

}  // namespace
}  // namespace aquifer::ztunnel::dns

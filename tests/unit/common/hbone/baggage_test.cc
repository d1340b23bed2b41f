// The baggage field, as the peer writes and reads it.
#include "common/hbone/baggage.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

const BaggageFields kFull = {.cluster_name = "Kubernetes",
                             .namespace_name = "default",
                             .workload_type = "deployment",
                             .workload_name = "client",
                             .service_name = "client",
                             .service_version = "v1",
                             .region = "r1",
                             .zone = "z1"};

TEST_CASE("baggage is written in the peer's order without spaces") {
  CHECK(build_baggage(kFull) ==
        "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client,service."
        "name=client,"
        "service.version=v1,cloud.region=r1,cloud.availability_zone=z1");
}

TEST_CASE("absent values leave no trace") {
  BaggageFields fields = kFull;
  fields.cluster_name.clear();
  fields.service_version.clear();
  fields.region.clear();
  fields.zone.clear();
  CHECK(build_baggage(fields) ==
        "k8s.namespace.name=default,k8s.deployment.name=client,service.name=client");
  CHECK(build_baggage({}).empty());
}

TEST_CASE("what is written is read back, for every type of workload") {
  for (const char* type : {"deployment", "cronjob", "pod", "job"}) {
    BaggageFields fields = kFull;
    fields.workload_type = type;
    CHECK(parse_baggage(build_baggage(fields)) == fields);
  }
}

TEST_CASE("baggage of others is read with tolerance") {
  CHECK(parse_baggage("") == BaggageFields{});
  CHECK(parse_baggage(",,=,x,=y,k8s.cluster.name=") == BaggageFields{});
  CHECK(parse_baggage(" service.name = a , service.version=b").service_name == "a");
  CHECK(parse_baggage("service.name=a=b").service_name == "a=b");
  CHECK(parse_baggage("service.name=a,service.name=b").service_name == "b");
  CHECK(parse_baggage("k8s.statefulset.name=s").workload_type.empty());
  CHECK(parse_baggage("k8s..name=s,k8s.name=t,k8s.pod.nam=u").workload_name.empty());
}

}  // namespace
}  // namespace aquifer::hbone

/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.dev.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.syntax.elements.GivenClassesConjunction;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Who may import whom, as {@code docs/ARCHITECTURE.md} draws it. It lives here because this module
 * alone has every other one on its classpath. Each rule carries the reason for which it would be a
 * loss to break it.
 */
class ModuleLadderTest {
  /**
   * Module (its package below {@code io.stowage}) to the modules that it may import, itself not
   * named.
   */
  private static final Map<String, List<String>> MAY_IMPORT =
      new TreeMap<>(
          Map.of(
              "common", List.of(),
              "om", List.of("common"),
              "scm", List.of("common"),
              "datanode", List.of("common"),
              "client", List.of("common"),
              "s3", List.of("client", "common", "om"),
              "fs", List.of("client", "common"),
              "minicluster", List.of("client", "common", "datanode", "fs", "om", "s3", "scm"),
              "dev",
                  List.of("client", "common", "datanode", "fs", "minicluster", "om", "s3", "scm")));

  private static JavaClasses stowage;

  @BeforeAll
  static void readClasses() {
    stowage =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            // what a module lends to others' tests comes as a jar once it is packaged
            .withImportOption(location -> !location.contains("-tests.jar"))
            .importPackages("io.stowage");
  }

  static Stream<String> modules() {
    return MAY_IMPORT.keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("modules")
  void importsOnlyDownwards(String module) {
    String[] forbidden =
        modules()
            .filter(other -> !other.equals(module) && !MAY_IMPORT.get(module).contains(other))
            .map(other -> "io.stowage." + other + "..")
            .toArray(String[]::new);
    if (forbidden.length == 0) {
      return; // the tools at the top may see everything
    }
    noClasses()
        .that()
        .resideInAPackage("io.stowage." + module + "..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(forbidden)
        .because(
            "a module that imports upwards or sideways can no longer be built, tested or replaced"
                + " alone; what two of them share belongs in io.stowage.common")
        .check(stowage);
  }

  /** Without this, a class path that lost a module would make its rules pass. */
  @ParameterizedTest
  @MethodSource("modules")
  void everyModuleIsLookedAt(String module) {
    assertTrue(
        stowage.stream().anyMatch(c -> c.getPackageName().startsWith("io.stowage." + module)),
        () -> "no class of io.stowage." + module + " was read");
  }

  @Test
  void everyClassBelongsToAModule() {
    List<String> strays =
        stowage.stream()
            .map(c -> c.getName())
            .filter(
                name ->
                    modules().noneMatch(module -> name.startsWith("io.stowage." + module + ".")))
            .sorted()
            .toList();
    assertTrue(strays.isEmpty(), () -> "outside every module: " + strays);
  }

  @Test
  void theGatewayMeetsTheObjectManagerInItsMainOnly() {
    outside("io.stowage.s3..", "io.stowage.s3")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.stowage.om..")
        .because(
            "the gateway hosts an object manager through the interface that the RPC client"
                + " implements too; only the wiring may know which of the two it has")
        .allowEmptyShould(true) // a gateway may be one package
        .check(stowage);
  }

  @Test
  void hbaseIsImportedInTheTablePackagesOnly() {
    outside(
            "io.stowage..",
            "io.stowage.om.table..",
            "io.stowage.scm.table..",
            "io.stowage.minicluster..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.apache.hadoop.hbase..")
        .because(
            "row layouts, stamps and conditional mutations are format; one package of each service"
                + " holds them, so that one reader can check them (the mini-cluster runs HBase)")
        .check(stowage);
  }

  @Test
  void curatorIsImportedWhereItElectsOrRegistersOnly() {
    outside(
            "io.stowage..",
            "io.stowage.scm.election..",
            "io.stowage.common.registration..",
            "io.stowage.minicluster..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.apache.curator..", "org.apache.zookeeper..")
        .because(
            "leadership is a value (an epoch), not a callback: the rest of the code must not be"
                + " able to ask ZooKeeper whether it leads")
        .check(stowage);
  }

  @Test
  void hadoopConfigurationStopsAtTheMainsAndTheHadoopEdges() {
    outside(
            "io.stowage..",
            // mains: one package a module
            "io.stowage.om",
            "io.stowage.scm",
            "io.stowage.datanode",
            "io.stowage.s3",
            // where the file of keys becomes validated records
            "io.stowage.common.conf..",
            // Hadoop RPC and HBase take a Configuration by contract
            "io.stowage..rpc..",
            "io.stowage.om.table..",
            "io.stowage.scm.table..",
            // Hadoop's own shapes
            "io.stowage.client.keys..",
            "io.stowage.fs..",
            "io.stowage.minicluster..",
            "io.stowage.dev..")
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("org.apache.hadoop.conf.Configuration")
        .because(
            "below the mains nobody sees a string key: each component takes one validated record")
        .check(stowage);
  }

  @Test
  void packagesFormNoCycles() {
    slices()
        .matching("io.stowage.(**)")
        .should()
        .beFreeOfCycles()
        .because("two packages that need each other are one, and nobody can read either alone")
        .check(stowage);
  }

  private static GivenClassesConjunction outside(String all, String... exceptIn) {
    return noClasses().that().resideInAPackage(all).and().resideOutsideOfPackages(exceptIn);
  }
}

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
package io.stowage.minicluster;

import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * JUnit 5: one cluster for all tests of a class, also given to test methods that take a {@link
 * MiniStowageCluster}.
 *
 * <pre>{@code
 * @RegisterExtension
 * static final StowageExtension STOWAGE = StowageExtension.of(MiniStowageCluster.builder());
 * }</pre>
 *
 * <p>Confined to the thread that runs the class's callbacks.
 */
public final class StowageExtension
    implements BeforeAllCallback, AfterAllCallback, ParameterResolver {
  private final MiniStowageCluster.Builder shape;
  private MiniStowageCluster cluster;

  private StowageExtension(MiniStowageCluster.Builder shape) {
    this.shape = shape;
  }

  /** A cluster of the shape that a builder describes. */
  public static StowageExtension of(MiniStowageCluster.Builder shape) {
    return new StowageExtension(shape);
  }

  /** The running cluster. */
  public MiniStowageCluster cluster() {
    if (cluster == null) {
      throw new IllegalStateException("Cannot give a cluster: the extension's field is not static");
    }
    return cluster;
  }

  @Override
  public void beforeAll(ExtensionContext context) throws Exception {
    cluster = shape.start();
  }

  @Override
  public void afterAll(ExtensionContext context) {
    if (cluster != null) {
      cluster.close();
      cluster = null;
    }
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getParameter().getType() == MiniStowageCluster.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    return cluster();
  }
}

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
package io.stowage.spark;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.pmod;
import static org.apache.spark.sql.functions.sum;

import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;

/**
 * Writes a table whose every cell follows from its row's number as parquet, and checks such tables, in the order of its
 * arguments. It is compiled against each Spark from the same source, so it calls only what they share.
 *
 * <pre>TableJob ROWS write=URI|check=URI...</pre>
 *
 * <p>Ends with 1 and a line on standard error if a table is not what it should be.
 */
public final class TableJob {
  private static final long PRIME = 1_000_003;
  private static final int PARTS = 4;

  /** What a whole table adds up to; worked out here without Spark, and there by it. */
  private static final class Sums {
    final long rows;
    final long values;
    final long letters;
    final long idsOfLastPart;

    Sums(long rows, long values, long letters, long idsOfLastPart) {
      this.rows = rows;
      this.values = values;
      this.letters = letters;
      this.idsOfLastPart = idsOfLastPart;
    }

    static Sums expected(long rows) {
      long values = 0;
      long letters = 0;
      long idsOfLastPart = 0;
      for (long id = 0; id < rows; id++) {
        values += id * id % PRIME;
        letters += ("row " + id).length();
        idsOfLastPart += id % PARTS == PARTS - 1 ? id : 0;
      }
      return new Sums(rows, values, letters, idsOfLastPart);
    }

    @Override
    public String toString() {
      return rows + " rows, values " + values + ", letters " + letters + ", ids of the last part "
          + idsOfLastPart;
    }
  }

  private TableJob() {}

  public static void main(String[] args) {
    if (args.length < 2) {
      System.err.println("usage: TableJob ROWS write=URI|check=URI...");
      System.exit(2);
    }
    long rows = Long.parseLong(args[0]);
    List<String> actions = Arrays.asList(args).subList(1, args.length);
    boolean good = true;
    SparkSession spark = SparkSession.builder().appName("stowage-table").getOrCreate();
    try {
      System.out.println(
          "Spark " + spark.version() + ", Hadoop " + org.apache.hadoop.util.VersionInfo.getVersion()
              + ", Java " + System.getProperty("java.version"));
      for (String action : actions) {
        String uri = action.substring(action.indexOf('=') + 1);
        long start = System.nanoTime();
        if (action.startsWith("write=")) {
          write(spark, rows, uri);
          System.out.printf("wrote %s: %d rows in %.1f s%n", uri, rows, secondsSince(start));
        } else if (action.startsWith("check=")) {
          String found = read(spark, uri).toString();
          String expected = Sums.expected(rows).toString();
          good &= found.equals(expected);
          if (found.equals(expected)) {
            System.out.printf("read %s: %s, as expected, in %.1f s%n", uri, found, secondsSince(start));
          } else {
            System.err.println("WRONG: " + uri + " has " + found + " instead of " + expected);
          }
        } else {
          throw new IllegalArgumentException("neither write= nor check=: " + action);
        }
      }
    } finally {
      spark.stop();
    }
    System.exit(good ? 0 : 1);
  }

  private static double secondsSince(long start) {
    return (System.nanoTime() - start) / 1e9;
  }

  private static void write(SparkSession spark, long rows, String uri) {
    spark
        .range(0, rows, 1, 3)
        .select(
            col("id"),
            pmod(col("id").multiply(col("id")), lit(PRIME)).as("value"),
            concat(lit("row "), col("id").cast("string")).as("name"),
            pmod(col("id"), lit(PARTS)).cast("int").as("part"))
        .write()
        .mode(SaveMode.Overwrite)
        .partitionBy("part")
        .parquet(uri);
  }

  private static Sums read(SparkSession spark, String uri) {
    Dataset<Row> table = spark.read().parquet(uri);
    Row all = table.agg(count(lit(1)), sum(col("value")), sum(length(col("name")))).first();
    Row last = table.filter(col("part").equalTo(PARTS - 1)).agg(sum(col("id"))).first();
    return new Sums(all.getLong(0), all.getLong(1), all.getLong(2), last.getLong(0));
  }
}

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
package io.stowage.dev.plot;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Lines and points on two logarithmic axes, as SVG. A value that is not above zero is left out.
 * Numbers are rounded to a tenth of a pixel, so that the same figures give the same bytes
 * everywhere. Confined to one thread.
 */
public final class LogPlot {
  private static final int WIDTH = 720;
  private static final int HEIGHT = 440;
  private static final int LEFT = 84;
  private static final int RIGHT = 168;
  private static final int TOP = 40;
  private static final int BOTTOM = 56;

  /** Told apart by people who see no colours, too (Okabe and Ito). */
  private static final String[] COLOURS = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"
  };

  /** Labels of the legend may not stand closer than this. */
  private static final int LEGEND_STEP = 20;

  private record Point(double x, double y, double low, double high) {}

  private record Series(String name, boolean line, String colour, List<Point> points) {}

  /** Values of one series; add to it in the order of x. */
  public static final class Values {
    private final List<Point> points;

    private Values(List<Point> points) {
      this.points = points;
    }

    public void add(double x, double y) {
      addBetween(x, y, y, y);
    }

    /** With an error bar. */
    public void addBetween(double x, double y, double low, double high) {
      if (x > 0 && y > 0) {
        points.add(new Point(x, y, low, high));
      }
    }
  }

  private final String title;
  private final String xTitle;
  private final String yTitle;
  private final List<Series> all = new ArrayList<>();
  private int lines;
  private double yFloor;
  private double lowX;
  private double highX;
  private int lowY;
  private int highY;

  public LogPlot(String title, String xTitle, String yTitle) {
    this.title = title;
    this.xTitle = xTitle;
    this.yTitle = yTitle;
  }

  public Values line(String name) {
    return series(name, true, COLOURS[lines++ % COLOURS.length]);
  }

  /** Single points in the colour of the line before. */
  public Values points(String name) {
    return series(name, false, COLOURS[Math.max(0, lines - 1) % COLOURS.length]);
  }

  /** Nothing below this is drawn. */
  public LogPlot floor(double y) {
    this.yFloor = y;
    return this;
  }

  private Values series(String name, boolean line, String colour) {
    List<Point> points = new ArrayList<>();
    all.add(new Series(name, line, colour, points));
    return new Values(points);
  }

  public String toSvg() {
    measure();
    StringBuilder svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
                + " height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">%n"
                + "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
            WIDTH,
            HEIGHT,
            WIDTH,
            HEIGHT));
    text(svg, WIDTH / 2.0, 22, "middle", "font-size=\"14\" font-weight=\"bold\"", title);
    drawGrid(svg);
    text(svg, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12, "middle", "", xTitle);
    double middle = (TOP + HEIGHT - BOTTOM) / 2.0;
    text(svg, 18, middle, "middle", "transform=\"rotate(-90 18 " + px(middle) + ")\"", yTitle);
    all.forEach(series -> draw(svg, series));
    drawLegend(svg);
    return svg.append("</svg>\n").toString().replace("\r\n", "\n");
  }

  private void measure() {
    lowX = Double.MAX_VALUE;
    highX = 0;
    double low = Double.MAX_VALUE;
    double high = 0;
    for (Series series : all) {
      for (Point point : series.points) {
        lowX = Math.min(lowX, point.x);
        highX = Math.max(highX, point.x);
        low = Math.min(low, point.low > 0 ? point.low : point.y);
        high = Math.max(high, point.high);
      }
    }
    if (high == 0) {
      throw new IllegalStateException("Cannot draw '" + title + "': it has no values");
    }
    lowY = (int) Math.floor(StrictMath.log10(Math.max(low, yFloor)));
    highY = (int) Math.ceil(StrictMath.log10(high));
    highY = Math.max(highY, lowY + 1);
  }

  private double x(double value) {
    double share = StrictMath.log10(value / lowX) / StrictMath.log10(highX / lowX);
    return LEFT + share * (WIDTH - LEFT - RIGHT);
  }

  private double y(double value) {
    double share = (StrictMath.log10(value) - lowY) / (highY - lowY);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  }

  private void drawGrid(StringBuilder svg) {
    int step = Math.max(1, (highY - lowY + 9) / 10);
    for (int exponent = lowY; exponent <= highY; exponent += step) {
      double at = y(StrictMath.pow(10, exponent));
      stroke(svg, LEFT, at, WIDTH - RIGHT, at, "#dddddd", 1);
      text(svg, LEFT - 8, at + 4, "end", "", power(exponent));
    }
    int first = (int) Math.floor(StrictMath.log10(lowX));
    int last = (int) Math.ceil(StrictMath.log10(highX));
    boolean wide = last - first > 2;
    for (int exponent = first; exponent <= last; exponent++) {
      for (int digit = 1; digit < 10; digit++) {
        double value = digit * StrictMath.pow(10, exponent);
        if (value < lowX * 0.999 || value > highX * 1.001) {
          continue;
        }
        double at = x(value);
        boolean labelled = digit == 1 || (!wide && (digit == 2 || digit == 5));
        stroke(svg, at, TOP, at, HEIGHT - BOTTOM, labelled ? "#dddddd" : "#f2f2f2", 1);
        if (labelled) {
          text(
              svg,
              at,
              HEIGHT - BOTTOM + 18,
              "middle",
              "",
              digit == 1 ? power(exponent) : plain(value));
        }
      }
    }
    stroke(svg, LEFT, TOP, LEFT, HEIGHT - BOTTOM, "black", 1);
    stroke(svg, LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "black", 1);
  }

  private void draw(StringBuilder svg, Series series) {
    if (series.line) {
      StringBuilder points = new StringBuilder();
      for (Point point : series.points) {
        if (point.y >= StrictMath.pow(10, lowY)) {
          points.append(px(x(point.x))).append(',').append(px(y(point.y))).append(' ');
        }
      }
      svg.append("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"")
          .append(series.colour)
          .append("\" points=\"")
          .append(points.toString().strip())
          .append("\"/>\n");
      return;
    }
    for (Point point : series.points) {
      double at = x(point.x);
      double low = point.low > 0 ? y(point.low) : HEIGHT - BOTTOM;
      stroke(svg, at, Math.min(low, HEIGHT - BOTTOM), at, y(point.high), series.colour, 1.5);
      svg.append("<circle r=\"4\" fill=\"")
          .append(series.colour)
          .append("\" cx=\"")
          .append(px(at))
          .append("\" cy=\"")
          .append(px(y(point.y)))
          .append("\"/>\n");
    }
  }

  private void drawLegend(StringBuilder svg) {
    double at = TOP + 8;
    for (Series series : all) {
      double left = WIDTH - RIGHT + 12;
      if (series.line) {
        stroke(svg, left, at, left + 20, at, series.colour, 2);
      } else {
        svg.append("<circle r=\"4\" fill=\"")
            .append(series.colour)
            .append("\" cx=\"")
            .append(px(left + 10))
            .append("\" cy=\"")
            .append(px(at))
            .append("\"/>\n");
      }
      text(svg, left + 26, at + 4, "start", "", series.name);
      at += LEGEND_STEP;
    }
  }

  private static void stroke(
      StringBuilder svg, double x1, double y1, double x2, double y2, String colour, double width) {
    svg.append("<line x1=\"")
        .append(px(x1))
        .append("\" y1=\"")
        .append(px(y1))
        .append("\" x2=\"")
        .append(px(x2))
        .append("\" y2=\"")
        .append(px(y2))
        .append("\" stroke=\"")
        .append(colour)
        .append("\" stroke-width=\"")
        .append(width)
        .append("\"/>\n");
  }

  private static void text(
      StringBuilder svg, double x, double y, String anchor, String attributes, String text) {
    svg.append("<text x=\"")
        .append(px(x))
        .append("\" y=\"")
        .append(px(y))
        .append("\" text-anchor=\"")
        .append(anchor)
        .append('"')
        .append(attributes.isEmpty() ? "" : " " + attributes)
        .append('>')
        .append(text.replace("&", "&amp;").replace("<", "&lt;"))
        .append("</text>\n");
  }

  private static String px(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  private static String power(int exponent) {
    return exponent >= -3 && exponent <= 4 ? plain(StrictMath.pow(10, exponent)) : "1e" + exponent;
  }

  private static String plain(double value) {
    String text = String.format(Locale.ROOT, "%.4f", value);
    return text.replaceAll("0+$", "").replaceAll("\\.$", "");
  }
}

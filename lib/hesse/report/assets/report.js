'use strict';
// Draws the figures of a report from the JSON in the page, and sorts its tables. The JSON is described in
// report/figure.h; NaN and the infinities are texts in it.
(() => {
  const element = document.getElementById('report-data');
  const data = element ? JSON.parse(element.textContent) : {figures: [], arrays: []};

  const number = (value) => (value === 'inf' ? Infinity : value === '-inf' ? -Infinity : value === 'nan' ? NaN : value);
  const arrays = data.arrays.map((array) => array.map(number));
  const finite = (values) => values.filter(Number.isFinite);

  // ---------------------------------------------------------------------------------------------------------- theme

  const dashes = ['solid', 'dash', 'dot', 'dashdot', 'longdash'];
  // The page's colours are chosen for white; these take their places on a dark page.
  const onDark = {
    '#0072B2': '#56A9E8', '#D55E00': '#F0813A', '#009E73': '#2FC79B', '#CC79A7': '#E29AC4',
    '#E69F00': '#F2B53A', '#56B4E9': '#9AD3F7', '#000000': '#E4E7EB', '#F0E442': '#F0E442',
  };
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const shade = (color) => (dark.matches ? onDark[color] || color : color === '#F0E442' ? '#B7A800' : color);
  const faded = (color, opacity) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
    return `rgba(${r},${g},${b},${opacity})`;
  };
  // From low to high. Blue alone, which is read by every eye and keeps lines on it visible.
  const heights = () => (dark.matches
    ? [[0, '#8CCBFA'], [0.35, '#3F88C5'], [0.7, '#22486B'], [1, '#182430']]
    : [[0, '#0F4C86'], [0.3, '#3F88C5'], [0.65, '#A5CCE9'], [1, '#EEF5FB']]);

  const baseLayout = () => ({
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    font: {family: getComputedStyle(document.body).fontFamily, size: 12, color: css('--ink')},
    hoverlabel: {bgcolor: css('--panel'), bordercolor: css('--line'), font: {color: css('--ink'), size: 12}, align: 'left'},
    margin: {l: 66, r: 18, t: 12, b: 46},
    modebar: {bgcolor: 'rgba(0,0,0,0)', color: css('--quiet'), activecolor: css('--accent')},
  });
  const axis = (label, log) => ({
    title: {text: escaped(label), standoff: 8, font: {size: 12, color: css('--quiet')}},
    type: log ? 'log' : 'linear',
    gridcolor: css('--grid'),
    linecolor: css('--quiet'),
    tickcolor: css('--quiet'),
    tickfont: {color: css('--quiet'), size: 11},
    ticks: 'outside',
    ticklen: 4,
    showline: true,
    zeroline: false,
    exponentformat: 'power',
    // Where a logarithmic axis is short, powers of ten alone leave it bare.
    minor: log ? {ticks: 'outside', ticklen: 2} : {},
    automargin: true,
  });
  const config = (name) => ({
    responsive: false,
    displaylogo: false,
    displayModeBar: 'hover',
    modeBarButtons: [name.endsWith('_surface') ? ['toImage', 'resetCameraDefault3d'] : ['toImage', 'resetScale2d']],
    toImageButtonOptions: {format: 'svg', filename: name},
  });

  // Plotly reads its texts as HTML.
  function escaped(text) {
    return String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  }
  const pen = document.createElement('canvas').getContext('2d');
  /** Of a text at the size of the labels, in pixels. */
  const widthOf = (text) => {
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    return pen.measureText(text).width;
  };
  const shortened = (text, length) => (text.length > length ? text.slice(0, length - 1) + '\u2026' : text);

  // ---------------------------------------------------------------------------------------------------------- lines

  const lastFinite = (values) => {
    for (let i = values.length - 1; i >= 0; --i) if (Number.isFinite(values[i])) return i;
    return -1;
  };

  /** The finite numbers that a view draws: the axes have to hold them. */
  function extent(view, log) {
    let low = Infinity;
    let high = -Infinity;
    const include = (values) => values.forEach((y) => {
      if (!Number.isFinite(y) || (log && y <= 0)) return;
      low = Math.min(low, y);
      high = Math.max(high, y);
    });
    for (const series of view.series) {
      if (series.band) ['median', 'lower', 'upper'].forEach((key) => include(arrays[series.band[key]]));
      series.runs.forEach((run) => include(arrays[run.y]));
    }
    if (view.target) include([number(view.target.value)]);
    return low <= high ? [low, high] : [0, 1];
  }

  function lineTraces(view, state) {
    const [low, high] = extent(view, state.logY);
    // An infinite quartile reaches the edge, and so does one that a logarithm cannot show.
    const clamped = (values) => values.map((y) => (Number.isNaN(y) ? null : Math.min(Math.max(y, low), high)));
    const shown = (values) => values.map((y) => (Number.isFinite(y) && !(state.logY && y <= 0) ? y : null));
    const bands = [];
    const lines = [];
    const marks = [];
    for (const series of view.series) {
      const color = shade(series.color);
      const dash = dashes[series.dash];
      const name = escaped(series.name);
      const common = {legendgroup: series.name, showlegend: false};
      const axes = `${escaped(view.x.label)} %{x:.6~g}<br>${escaped(view.y.label)} %{y:.6~g}`;
      let x = null;
      let y = null;
      let quartiles = null;
      if (series.band) {
        const band = series.band;
        x = arrays[band.x];
        const median = arrays[band.median];
        // Where the median is infinite the line ends, and the band with it.
        const where = (values) => clamped(values).map((value, i) => (Number.isFinite(median[i]) ? value : null));
        y = shown(median);
        quartiles = arrays[band.lower].map((value, i) => [value, arrays[band.upper][i]]);
        const edge = {...common, x, mode: 'lines', line: {width: 0, color}, hoverinfo: 'skip'};
        bands.push({...edge, y: where(arrays[band.lower])});
        bands.push({...edge, y: where(arrays[band.upper]), fill: 'tonexty', fillcolor: faded(color, dark.matches ? 0.24 : 0.16)});
      } else if (series.runs.length > 0) {
        x = arrays[series.runs[0].x];
        y = shown(arrays[series.runs[0].y]);
      }
      if (state.singles && series.runs.length > 1) {
        for (const run of series.runs) {
          lines.push({
            ...common, x: arrays[run.x], y: shown(arrays[run.y]), mode: 'lines',
            line: {width: 1, color: faded(color, 0.65), dash},
            hovertemplate: `<b>${name}</b>, ${escaped(run.name)}<br>${axes}<extra></extra>`,
          });
        }
      }
      if (x) {
        const points = finite(y).length;
        // Points that show where a line has its corners; a step has two at each.
        const marked = points <= 25 && x.every((value, i) => i === 0 || value - x[i - 1] > 1e-9 * Math.abs(value));
        const run = !quartiles && series.runs[0].name ? `, ${escaped(series.runs[0].name)}` : '';
        lines.push({
          x, y, name, legendgroup: series.name, showlegend: true,
          mode: marked ? 'lines+markers' : 'lines',
          line: {width: 2, color, dash},
          marker: {size: points === 1 ? 7 : 4, color},
          customdata: quartiles || undefined,
          hovertemplate: `<b>${name}</b>${run}<br>${axes}` +
            (quartiles ? '<br>band %{customdata[0]:.5~g} to %{customdata[1]:.5~g}' : '') + '<extra></extra>',
        });
      }
      for (const run of series.runs) {
        if (!run.diverged) continue;
        const values = shown(arrays[run.y]);
        const at = lastFinite(values.map((value) => (value === null ? NaN : value)));
        if (at < 0) continue;
        marks.push({
          ...common, x: [arrays[run.x][at]], y: [values[at]], mode: 'markers',
          marker: {symbol: 'x', size: 9, color, line: {width: 1, color: css('--paper')}},
          hovertemplate: `<b>${name}</b>, ${escaped(run.name)}<br>not finite after ${axes}<extra></extra>`,
        });
      }
    }
    return bands.concat(lines, marks);
  }

  /** Names at the ends of their lines, moved apart where they would lie on each other. */
  function endLabels(graph, view, state) {
    const scale = graph._fullLayout.yaxis;
    const across = graph._fullLayout.xaxis;
    const height = scale._length;
    const labels = [];
    const inner = [];
    for (const series of view.series) {
      const values = series.band ? arrays[series.band.median] : series.runs.length > 0 ? arrays[series.runs[0].y] : [];
      const at = lastFinite(values.map((y) => (state.logY && y <= 0 ? NaN : y)));
      if (at < 0) continue;
      const y = state.logY ? Math.log10(values[at]) : values[at];
      const label = {series, x: 1, at: Math.min(Math.max(scale.l2p(y), 0), height)};
      // A line that ends early has its name there.
      const last = arrays[series.band ? series.band.x : series.runs[0].x][at];
      const share = across.l2p(state.logX ? Math.log10(last) : last) / across._length;
      if (share > 0 && share < 0.9) {
        inner.push({...label, x: share});
      } else {
        labels.push(label);
      }
    }
    labels.sort((a, b) => a.at - b.at);
    const step = 15;
    for (let i = 1; i < labels.length; ++i) labels[i].at = Math.max(labels[i].at, labels[i - 1].at + step);
    let bottom = height + 6;
    for (let i = labels.length - 1; i >= 0; --i) {
      labels[i].at = Math.min(labels[i].at, bottom);
      bottom = labels[i].at - step;
    }
    return labels.concat(inner).map(({series, x, at}) => ({
      xref: 'paper', yref: 'paper', x, y: 1 - at / height, xanchor: 'left', yanchor: 'middle', xshift: 6,
      bgcolor: x < 1 ? faded(css('--paper'), 0.75) : 'rgba(0,0,0,0)', borderpad: 0,
      showarrow: false, text: escaped(shortened(series.name, 30)), hovertext: escaped(series.name),
      font: {size: 11, color: shade(series.color)},
    }));
  }

  function drawLines(figure, spec, state) {
    const plot = figure.querySelector('.plot');
    const view = spec.views[state.view];
    const width = plot.clientWidth;
    const several = view.series.length > 1;
    const direct = several && width >= 560 && view.series.length <= 12;
    const layout = baseLayout();
    layout.xaxis = axis(view.x.label, state.logX);
    layout.yaxis = axis(view.y.label, state.logY);
    layout.hovermode = 'closest';
    layout.showlegend = several && !direct;
    layout.legend = {orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', font: {size: 11}, itemwidth: 30};
    if (direct) {
      const names = view.series.map((series) => shortened(series.name, 30));
      layout.margin.r = Math.ceil(14 + Math.max(...names.map(widthOf)));
    }
    if (view.target && !(state.logY && number(view.target.value) <= 0)) {
      const y = number(view.target.value);
      layout.shapes = [{type: 'line', xref: 'paper', x0: 0, x1: 1, y0: y, y1: y, line: {dash: 'dot', width: 1.3, color: css('--quiet')}}];
      layout.annotations = [{
        xref: 'paper', x: 0.01, xanchor: 'left', y: state.logY ? Math.log10(y) : y, yanchor: 'bottom', showarrow: false,
        text: escaped(view.target.label), font: {size: 11, color: css('--quiet')},
      }];
    }
    const fixed = layout.annotations || [];
    return Plotly.react(plot, lineTraces(view, state), layout, config(spec.name)).then(() => {
      if (!direct) return undefined;
      const place = () => Plotly.relayout(plot, {annotations: fixed.concat(endLabels(plot, view, state))});
      plot.removeAllListeners('plotly_relayout');
      plot.on('plotly_relayout', (change) => {
        if (!Object.keys(change).includes('annotations')) place();
      });
      return place();
    });
  }

  // -------------------------------------------------------------------------------------------------------- points

  function drawPoints(figure, spec) {
    const plot = figure.querySelector('.plot');
    const points = spec.points;
    const layout = baseLayout();
    layout.xaxis = axis(points.x.label, false);
    layout.yaxis = axis(points.y.label, false);
    layout.hovermode = 'closest';
    layout.showlegend = points.groups.length > 1;
    layout.legend = {orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', font: {size: 11}};
    const traces = points.groups.map((group) => ({
      x: arrays[group.x], y: arrays[group.y], name: escaped(group.name), mode: 'markers',
      marker: {size: 7, color: shade(group.color), opacity: 0.75},
      hovertemplate: `<b>${escaped(group.name)}</b><br>${escaped(points.x.label)} %{x:.6~g}<br>` +
        `${escaped(points.y.label)} %{y:.8~g}<extra></extra>`,
    }));
    return Plotly.react(plot, traces, layout, config(spec.name));
  }

  // ------------------------------------------------------------------------------------------------------ surfaces

  const hasWebGl = () => {
    const canvas = document.createElement('canvas');
    return Boolean(canvas.getContext('webgl2') || canvas.getContext('webgl'));
  };

  /** Labels of a colour bar or axis whose numbers are logarithms: powers of ten, or 1, 2 and 5 of them on a short one. */
  function powers(low, high) {
    const values = [];
    const texts = [];
    const short = high - low < 2.5;
    const every = Math.max(1, Math.ceil((high - low) / 7));
    for (let e = Math.floor(low); e <= high; ++e) {
      for (const factor of short ? [1, 2, 5] : [1]) {
        const at = e + Math.log10(factor);
        if (at < low || at > high || (!short && e % every !== 0)) continue;
        values.push(at);
        texts.push(short ? String(Number((factor * 10 ** e).toPrecision(3))) : `10<sup>${e}</sup>`);
      }
    }
    return {tickmode: 'array', tickvals: values, ticktext: texts};
  }

  /** Some five round numbers from low to high. */
  function rounded(low, high) {
    const unit = 10 ** Math.floor(Math.log10((high - low) / 5));
    const step = unit * [1, 2, 5, 10].find((factor) => factor * unit * 7 >= high - low);
    const values = [];
    for (let k = Math.ceil(low / step); k * step <= high; ++k) values.push(Number((k * step).toPrecision(12)));
    return values.length > 1 ? {tickmode: 'array', tickvals: values, ticktext: values.map((v) => String(Number(v.toPrecision(6))))} : {};
  }

  function drawSurface(figure, spec, state) {
    const surface = spec.surface;
    const [flat, space] = figure.querySelectorAll('.plot');
    const log = state.logY;
    const x = arrays[surface.x.values];
    const y = arrays[surface.y.values];
    const values = surface.values.map((row) => row.map(number));
    let low = number(surface.value.low);
    let high = number(surface.value.high);
    if (!surface.value.log || !log) {
      const all = finite(values.flat()).filter((v) => !log || v > 0);
      low = all.reduce((a, b) => Math.min(a, b), Infinity);
      high = all.reduce((a, b) => Math.max(a, b), -Infinity);
    }
    const height = (v) => (!Number.isFinite(v) ? null : log ? Math.log10(Math.max(v, low)) : v);
    const [bottom, top] = [height(low), height(high)];
    const grid = values.map((row) => row.map(height));
    const ticks = log ? powers(bottom, top) : rounded(bottom, top);
    const size = (top - bottom) / 13 || 1;
    const levels = {start: bottom + size, end: top - size / 2, size};
    const label = escaped(surface.value.label);
    const hover = `${label} %{customdata:.6~g}<br>%{x:.4~g}, %{y:.4~g}<extra></extra>`;
    const model = surface.model && surface.model.values.map((row) => row.map(number));
    const inside = (v) => (Number.isFinite(v) ? Math.min(Math.max(v, low), high) : v);
    const modelGrid = model && model.map((row) => row.map((v) => height(inside(v))));
    const path = surface.path && {x: arrays[surface.path.x], y: arrays[surface.path.y]};
    const green = shade('#009E73');
    const orange = shade('#D55E00');

    const layout = baseLayout();
    layout.xaxis = axis(surface.x.label, false);
    layout.yaxis = axis(surface.y.label, false);
    layout.margin.r = 8;
    layout.legend = {orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', font: {size: 11}};
    layout.showlegend = Boolean(model || path);
    const traces = [{
      type: 'contour', x, y, z: grid, customdata: values, colorscale: heights(), zmin: bottom, zmax: top, zauto: false,
      autocontour: false, contours: {coloring: 'heatmap', showlines: surface.lines, ...levels}, line: {width: 0.8, color: dark.matches ? '#c9d6e2' : '#33475b'},
      colorbar: {title: {text: label, side: 'right', font: {size: 12, color: css('--quiet')}}, thickness: 12, outlinewidth: 0,
                 tickfont: {size: 11, color: css('--quiet')}, ...ticks},
      hovertemplate: hover, showlegend: false,
    }];
    if (model) {
      traces.push({
        type: 'contour', x, y, z: modelGrid, autocontour: false, contours: {coloring: 'none', ...levels},
        line: {width: 1.4, color: orange, dash: 'dash'}, showscale: false, hoverinfo: 'skip', name: escaped(surface.model.label),
        showlegend: true,
      });
    }
    if (path) {
      const ends = path.x.map((_, i) => (i === 0 ? 'circle-open' : i === path.x.length - 1 ? 'star' : 'circle'));
      traces.push({
        ...path, mode: 'lines+markers', name: escaped(surface.path.label), line: {width: 2, color: green},
        marker: {symbol: ends, size: ends.map((end) => (end === 'circle' ? 4 : 11)), color: green},
        hovertemplate: 'point %{pointNumber}<br>%{x:.4~g}, %{y:.4~g}<extra></extra>',
      });
    }
    const drawn = [Plotly.react(flat, traces, layout, config(spec.name))];
    if (!hasWebGl()) {
      space.textContent = 'This browser has no WebGL, so there is no surface; the contours show the same numbers.';
      space.className = 'plot quiet';
      space.style.height = 'auto';
      figure.dataset.space = 'no-webgl';
      return Promise.all(drawn);
    }
    const axis3 = (text) => ({
      title: {text: escaped(shortened(text, 34)), font: {size: 11, color: css('--quiet')}}, gridcolor: css('--line'),
      tickfont: {size: 10, color: css('--quiet')}, showbackground: false, zeroline: false,
    });
    const spaceLayout = baseLayout();
    spaceLayout.margin = {l: 0, r: 0, t: 0, b: 0};
    spaceLayout.scene = {
      xaxis: axis3(surface.x.label), yaxis: axis3(surface.y.label), zaxis: {...axis3(surface.value.label), ...ticks},
      camera: {eye: {x: 1.45, y: -1.6, z: 1.3}}, aspectratio: {x: 1, y: 1, z: 0.75},
    };
    spaceLayout.showlegend = false;
    const things = [{
      type: 'surface', x, y, z: grid, customdata: values, colorscale: heights(), cmin: bottom, cmax: top, showscale: false,
      contours: {z: {show: true, ...levels, color: dark.matches ? '#c9d6e2' : '#33475b', width: 1}},
      lighting: {ambient: 0.75, diffuse: 0.5, specular: 0.05, roughness: 0.9},
      hovertemplate: hover,
    }];
    if (path) {
      // The path runs on the surface as it is drawn, between the grid's values, and a little above to be seen.
      const cell = (all, v) => {
        const at = Math.min(Math.max(all.findIndex((value) => value > v) - 1, 0), all.length - 2);
        const i = v >= all[all.length - 1] ? all.length - 2 : at;
        return [i, Math.min(Math.max((v - all[i]) / (all[i + 1] - all[i]), 0), 1)];
      };
      const on = (px, py) => {
        const [i, u] = cell(x, px);
        const [j, v] = cell(y, py);
        const corners = [grid[j][i], grid[j][i + 1], grid[j + 1][i], grid[j + 1][i + 1]];
        if (corners.includes(null)) return null;
        return (1 - v) * ((1 - u) * corners[0] + u * corners[1]) + v * ((1 - u) * corners[2] + u * corners[3]) + 0.006 * (top - bottom);
      };
      things.push({
        type: 'scatter3d', mode: 'lines', ...path, z: path.x.map((_, i) => on(path.x[i], path.y[i])),
        line: {width: 5, color: green}, name: escaped(surface.path.label), hoverinfo: 'skip',
      });
    }
    drawn.push(Plotly.react(space, things, spaceLayout, config(spec.name + '_surface')));
    figure.dataset.space = 'drawn';
    return Promise.all(drawn);
  }

  // ------------------------------------------------------------------------------------------------------ controls

  function choice(names, pressed, act) {
    const group = document.createElement('span');
    group.className = 'choice';
    names.forEach((name, i) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = name;
      button.setAttribute('aria-pressed', String(pressed(i)));
      button.addEventListener('click', () => {
        act(i);
        [...group.children].forEach((other, k) => other.setAttribute('aria-pressed', String(pressed(k))));
      });
      group.append(button);
    });
    return group;
  }

  function setUp(figure) {
    const spec = data.figures[Number(figure.dataset.figure)];
    const first = spec.views ? spec.views[0] : null;
    const state = {
      view: 0,
      singles: false,
      logX: Boolean(first && first.x.log),
      logY: first ? first.y.log : Boolean(spec.surface && spec.surface.value.log),
    };
    const draw = () => {
      const drawing = spec.surface ? drawSurface : spec.points ? drawPoints : drawLines;
      return Promise.resolve()
        .then(() => drawing(figure, spec, state))
        .then(() => { figure.dataset.drawn = 'true'; })
        .catch((error) => {
          figure.dataset.drawn = 'error';
          console.error(`figure ${spec.name}: ${error && error.stack ? error.stack : error}`);
        });
    };
    const head = figure.querySelector('.figure-head');
    if (spec.note) {
      const note = document.createElement('span');
      note.className = 'note';
      note.textContent = spec.note;
      head.append(note);
    }
    const controls = document.createElement('div');
    controls.className = 'controls';
    if (spec.views) {
      if (spec.views.length > 1) {
        controls.append(choice(spec.views.map((view) => view.name), (i) => i === state.view, (i) => { state.view = i; draw(); }));
      }
      const several = spec.views[0].series.some((series) => series.runs.length > 1);
      if (several) controls.append(choice(['single runs'], () => state.singles, () => { state.singles = !state.singles; draw(); }));
      controls.append(choice(['log x', 'log y'], (i) => (i === 0 ? state.logX : state.logY), (i) => {
        if (i === 0) state.logX = !state.logX; else state.logY = !state.logY;
        draw();
      }));
    }
    if (spec.surface) {
      const pair = document.createElement('div');
      pair.className = 'pair';
      const plot = figure.querySelector('.plot');
      plot.replaceWith(pair);
      pair.append(plot, plot.cloneNode(false));
      if (finite(spec.surface.values.flat().map(number)).every((v) => v >= 0)) {
        controls.append(choice(['log'], () => state.logY, () => { state.logY = !state.logY; draw(); }));
      }
    }
    head.append(controls);
    let width = figure.clientWidth;
    let waiting = 0;
    new ResizeObserver(() => {
      if (figure.clientWidth === width) return;
      width = figure.clientWidth;
      clearTimeout(waiting);
      waiting = setTimeout(draw, 120);
    }).observe(figure);
    return draw;
  }

  // -------------------------------------------------------------------------------------------------------- tables

  /** A cell's leading number, which what stands behind it (quartiles, failures) does not change. */
  function key(text) {
    if (/^-inf\b/.test(text)) return -Infinity;
    if (/^inf\b/.test(text)) return Infinity;
    const match = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/i.exec(text);
    return match ? Number(match[0]) : NaN;
  }

  function sortBy(table, column, descending) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, place) => {
      const text = row.cells[column].textContent;
      return {row, place, text, key: key(text)};
    });
    const numeric = rows.every((one) => one.text === '' || one.text === 'nan' || !Number.isNaN(one.key));
    const order = descending ? -1 : 1;
    rows.sort((a, b) => {
      if (!numeric) return order * a.text.localeCompare(b.text, undefined, {numeric: true}) || a.place - b.place;
      // What is no number stands last either way.
      if (Number.isNaN(a.key) || Number.isNaN(b.key)) return Number.isNaN(a.key) - Number.isNaN(b.key) || a.place - b.place;
      return a.key === b.key ? a.place - b.place : order * (a.key < b.key ? -1 : 1);
    });
    body.append(...rows.map((one) => one.row));
  }

  for (const table of document.querySelectorAll('table.sortable')) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector('button').addEventListener('click', () => {
      const descending = head.getAttribute('aria-sort') === 'ascending';
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      sortBy(table, column, descending);
    }));
  }

  // --------------------------------------------------------------------------------------------------------- begin

  if (typeof Plotly === 'undefined') return;
  const draws = [...document.querySelectorAll('figure[data-figure]')].map(setUp);
  // One after another, with a breath between, so that the page answers while it draws.
  const drawAll = () => draws.reduce(
    (before, draw) => before.then(draw).then(() => new Promise((next) => { setTimeout(next, 0); })), Promise.resolve());
  drawAll().then(() => { document.documentElement.dataset.drawn = 'true'; });
  dark.addEventListener('change', drawAll);
})();

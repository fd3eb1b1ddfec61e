// Layers of the app's maps, drawn from plain JSON on a canvas, and what all maps share.
// A layer's data are the data themselves or an address from which they are read once.
(function () {
  "use strict";

  var kept = {};

  function load(source, use) {
    if (typeof source !== "string") { use(source); return; }
    if (!kept[source]) {
      kept[source] = fetch(source).then(function (answer) {
        if (!answer.ok) { throw new Error(answer.status + " " + source); }
        return answer.json();
      });
    }
    kept[source].then(use, function (fault) {
      // Asked for again the next time; the rest of the map goes on.
      delete kept[source];
      console.warn(fault.message);
    });
  }

  // A layer that draws itself again, where needed, when the zoom changes.
  var Drawn = L.LayerGroup.extend({
    initialize: function (source, options) {
      L.LayerGroup.prototype.initialize.call(this, [], options);
      this._source = source;
      // Its number says in which order the layers of a map were made.
      L.stamp(this);
    },
    getEvents: function () { return {zoomend: this._refresh}; },
    onAdd: function (map) {
      L.LayerGroup.prototype.onAdd.call(this, map);
      this._shown = null;
      this._refresh();
    },
    _refresh: function () {
      var zoom = this._map.getZoom(), wanted = this._variant(zoom), self = this;
      if (wanted === this._shown) { return; }
      this._shown = wanted;
      if (wanted === null) { this.clearLayers(); return; }
      load(this._sourceOf(wanted), function (data) {
        // It may have been taken away, or zoomed on, while the data came.
        if (!self._map || self._shown !== wanted) { return; }
        self.clearLayers();
        self._draw(data, zoom);
        raise(self);
      });
    },
    _sourceOf: function () { return this._source; },
    // What is drawn at a zoom: another value is drawn anew, null is nothing.
    _variant: function () { return "all"; }
  });

  // Data come when they come: what was made after a layer lies above it all the same.
  function raise(layer) {
    var above = [];
    layer._map.eachLayer(function (other) {
      if (other instanceof Drawn && L.stamp(other) > L.stamp(layer)) { above.push(other); }
    });
    above.sort(function (one, two) { return L.stamp(one) - L.stamp(two); });
    above.forEach(function (other) {
      other.eachLayer(function (part) { if (part.bringToFront) { part.bringToFront(); } });
    });
  }

  var Near = Drawn.extend({
    _variant: function (zoom) { return zoom >= this.options.zoom ? "near" : null; }
  });

  function dot(place, colour, radius, weight) {
    return L.circleMarker([place[0], place[1]], {radius: radius, color: "#ffffff",
      weight: weight, fillColor: colour, fillOpacity: 0.95}).bindTooltip(place[2]);
  }

  // Places, alone or, where many are close together, as a number of them.
  var Dots = Drawn.extend({
    _variant: function (zoom) {
      // Between whole zooms the same places stand together.
      return Math.min(Math.floor(zoom), this.options.apart);
    },
    _draw: function (places) {
      var zoom = this._shown, map = this._map, self = this, colour = this.options.colour;
      var alone = zoom >= this.options.apart || places.length < this.options.few;
      var radius = zoom <= 9 ? 2.5 : zoom < 12 ? 3.5 : 5;
      function single(place) { dot(place, colour, radius, radius < 3 ? 0.5 : 1).addTo(self); }
      if (alone) { places.forEach(single); return; }
      var groups = new Map();
      places.forEach(function (place) {
        var point = map.project([place[0], place[1]], zoom).divideBy(self.options.pixels).floor();
        var key = point.x + " " + point.y;
        if (!groups.has(key)) { groups.set(key, []); }
        groups.get(key).push(place);
      });
      groups.forEach(function (members) {
        if (members.length < 3) { members.forEach(single); } else { self._number(members); }
      });
    },
    _number: function (members) {
      var map = this._map, latitude = 0, longitude = 0, options = this.options;
      members.forEach(function (place) { latitude += place[0]; longitude += place[1]; });
      var size = Math.round(18 + 5 * Math.log10(members.length));
      L.marker([latitude / members.length, longitude / members.length], {
        keyboard: false,
        icon: L.divIcon({className: "ps-number", iconSize: [size, size],
          html: '<span style="background:' + options.colour + '">' + members.length + "</span>"})
      }).bindTooltip(options.say.replace("{count}", members.length)).on("click", function () {
        map.flyToBounds(L.latLngBounds(members).pad(0.2), {duration: 0.4,
          maxZoom: Math.max(options.apart, map.getZoom() + 1)});
      }).addTo(this);
    }
  });

  var NearDots = Near.extend({
    _draw: function (places) {
      places.forEach(function (place) { dot(place, this.options.colour, 4, 1).addTo(this); }, this);
    }
  });

  var Lines = Drawn.extend({
    _variant: function (zoom) { return zoom >= this.options.zoom ? "near" : "far"; },
    _draw: function (lines) {
      // Thinner from afar, so that thousands of them do not hide what lies below.
      var weight = this._shown === "near" ? this.options.weight : this.options.far_weight;
      lines.forEach(function (line) {
        L.polyline(line[0], {color: this.options.colour, opacity: 0.9, weight: weight})
          .bindTooltip(line[1], {sticky: true}).addTo(this);
      }, this);
    }
  });

  var Sectors = Near.extend({
    _draw: function (sectors) {
      var radius = this.options.radius, half = this.options.half_angle;
      var colour = this.options.colour, metre = 1 / 111320;
      sectors.forEach(function (sector) {
        var lat = sector[0], lng = sector[1], points = [];
        var stretch = Math.cos(lat * Math.PI / 180), round = sector[2] === null;
        if (!round) { points.push([lat, lng]); }
        var from = round ? 0 : sector[2] - half, to = round ? 360 : sector[2] + half;
        for (var angle = from; angle <= to; angle += 10) {
          var turn = angle * Math.PI / 180;
          points.push([lat + radius * metre * Math.cos(turn),
                       lng + radius * metre * Math.sin(turn) / stretch]);
        }
        L.polygon(points, {color: colour, weight: 1, fillColor: colour, fillOpacity: 0.35})
          .bindTooltip(sector[3]).addTo(this);
      }, this);
    }
  });

  // Polygons: shapes simplified for the zoom, with colours and texts of their own.
  var Zones = Drawn.extend({
    _variant: function (zoom) {
      return this.options.near !== null && zoom >= this.options.zoom ? "near" : "far";
    },
    _sourceOf: function (variant) {
      return variant === "near" ? this.options.near : this._source;
    },
    _draw: function (shapes) {
      var looks = this.options.looks;
      shapes.forEach(function (shape, number) {
        var look = looks[number];
        L.geoJSON(shape, {style: {color: "#33444d", weight: 1, opacity: 0.75,
          // Nothing to see, but the tooltip needs something to point at.
          fillColor: look[1] || "#ffffff", fillOpacity: look[1] ? this.options.opacity : 0}
        }).bindTooltip(look[0], {sticky: true}).addTo(this);
      }, this);
    }
  });

  // The address of the page around the map; another origin would refuse it.
  function around() {
    try { return window.parent.location.href && window.parent; } catch (fault) { return null; }
  }

  function numbers(text, count) {
    if (!text || !/^-?[\d.]{1,12}(,-?[\d.]{1,12})*$/.test(text)) { return null; }
    var found = text.split(",").map(Number);
    return found.length === count && found.every(isFinite) &&
      Math.abs(found[0]) <= 90 && Math.abs(found[1]) <= 180 ? found : null;
  }

  function parameter(name) {
    var page = around();
    return page ? new URLSearchParams(page.location.search).get(name) : null;
  }

  // Where the map was left: in the address, or in the browser's tab.
  function position(name, bounds) {
    var texts = [parameter("view")];
    try { texts.push(window.sessionStorage.getItem(name)); } catch (fault) { /* forbidden */ }
    return texts.map(function (text) { return numbers(text, 3); }).find(function (found) {
      // Of another study area it would show nothing.
      return found && found[2] >= 5 && found[2] <= 17 &&
        L.latLngBounds(bounds).pad(0.5).contains([found[0], found[1]]);
    });
  }

  function writePosition(text) {
    var page = around();
    if (!page) { return; }
    var url = new URL(page.location.href);
    if (url.searchParams.get("view") === text) { return; }
    url.searchParams.set("view", text);
    page.history.replaceState(page.history.state, "",
      url.pathname + url.search.replaceAll("%2C", ",") + url.hash);
  }

  function written(map) {
    var centre = map.getCenter();
    return centre.lat.toFixed(5) + "," + centre.lng.toFixed(5) + "," + map.getZoom();
  }

  function followPosition(map, name, left) {
    var text = left ? written(map) : null, chosen = false, box = map.getContainer();
    // Not the position in which the map begins or that another size gives it, but
    // every one that the user chooses.
    ["pointerdown", "wheel", "keydown", "click"].forEach(function (kind) {
      box.addEventListener(kind, function () { chosen = true; }, {capture: true, passive: true});
    });
    map.on("moveend", function () {
      if (!chosen) { return; }
      text = written(map);
      try { window.sessionStorage.setItem(name, text); } catch (fault) { /* forbidden */ }
      writePosition(text);
    });
    // Streamlit knows nothing of it and leaves it out when it changes the address.
    window.setInterval(function () { if (text !== null) { writePosition(text); } }, 500);
  }

  // A place may also be typed on the page or come with the address.
  function followPlace(map, ring) {
    var said = null;
    function look() {
      var text = parameter("at");
      if (text === said) { return; }
      said = text;
      var place = numbers(text, 2);
      if (!place) { return; }
      ring.setLatLng(place).addTo(map);
      if (!map.getBounds().contains(place)) { map.panTo(place); }
    }
    look();
    window.setInterval(look, 500);
  }

  function setUp(map, options) {
    map.attributionControl.setPrefix("Leaflet");
    L.control.scale({imperial: false}).addTo(map);
    var left = options.linked ? position(options.name, options.bounds) : null;
    if (left) { map.setView([left[0], left[1]], left[2], {animate: false}); }
    else { map.fitBounds(options.bounds, {animate: false}); }
    if (options.linked) { followPosition(map, options.name, left); }
    document.documentElement.lang = options.language;
    var box = map.getContainer();
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", options.title + ". " + options.keys);
    // Mark the place that was clicked last, without asking the server.
    var ring = L.circleMarker([0, 0], {radius: 9, color: "#111111", weight: 3,
      fillColor: "#ffffff", fillOpacity: 0.6, interactive: false});
    map.on("click", function (event) { ring.setLatLng(event.latlng).addTo(map); });
    if (options.linked) { followPlace(map, ring); }
    // Enter asks about the middle of the map, as a click does.
    box.addEventListener("keydown", function (event) {
      if (event.key === "Enter" && event.target === box) {
        map.fire("click", {latlng: map.getCenter()});
      }
    });
    var first = L.Control.Layers.prototype._initLayout;
    L.Control.Layers.prototype._initLayout = function () {
      first.call(this);
      this._layersLink.title = options.layers;
      this._layersLink.setAttribute("aria-label", options.layers);
    };
    [["in", options.zoom_in], ["out", options.zoom_out]].forEach(function (pair) {
      var button = box.querySelector(".leaflet-control-zoom-" + pair[0]);
      if (button) { button.title = pair[1]; button.setAttribute("aria-label", pair[1]); }
    });
  }

  window.PhuSong = {Dots: Dots, NearDots: NearDots, Lines: Lines, Sectors: Sectors, Zones: Zones,
    setUp: setUp};
})();

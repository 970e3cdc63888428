/** Messages of feature views: they come with the page of a dataset, not with the start. */
export const featureViewMessages = {
  en: {
    title: "Feature views of this dataset",
    view: "View",
    features: "Features",
    online: "Online",
    onlineOf: "version {online} of {newest}",
    notOnline: "not yet",
    since: "Since",
    push: "Push source",
    held: "Keys held",
    heldHint: "Join keys whose pushed row no version has, or has a later one of",
    last: "Last push",
  },
  "pt-BR": {
    title: "Visões de features deste conjunto de dados",
    view: "Visão",
    features: "Features",
    online: "Online",
    onlineOf: "versão {online} de {newest}",
    notOnline: "ainda não",
    since: "Desde",
    push: "Fonte de envio",
    held: "Chaves mantidas",
    heldHint: "Chaves cuja linha enviada nenhuma versão tem, nem tem outra posterior",
    last: "Último envio",
  },
} as const;

import type { ProblemTexts } from "./problems.ts";

/**
 * Errors in Brazilian Portuguese, by code. `{name}` is a fact of the error; what is missing here is shown as the server
 * words it.
 */
export const problemsPtBr: ProblemTexts = {
  SERVER_ROUTE_MISSING: {
    message: "Não há nada em {method} {path}.",
    hint: "A API é descrita em /api/v1/openapi.json.",
  },
  SERVER_REQUEST_INVALID: {
    message: "O pedido não é válido ({where}): {problems}",
    hint: "Os formatos são descritos em /api/v1/openapi.json.",
  },
  SERVER_REQUESTS_TOO_MANY: {
    message: "Há mais pedidos de {caller} do que um só pode fazer: {limit}.",
    hint: "Tente de novo em {seconds} s, ou aumente server.concurrency ou server.rate no esteira.yaml.",
  },
  SERVER_RESOURCE_MISSING: {
    message: "Não existe {kind} “{key}” neste projeto.",
    hint: "Confira o nome; a lista na barra lateral mostra o que existe.",
  },
  SERVER_PROJECT_NOT_OPEN: {
    message: "Isto precisa de um projeto, e este servidor foi iniciado fora de um.",
    hint: "Inicie o servidor numa pasta com esteira.yaml.",
  },
  SERVER_INTERNAL: {
    message: "O servidor falhou de um modo que não previa; o log dele tem os detalhes.",
    hint: "Tente de novo; se voltar a acontecer, veja o log do servidor.",
  },
  PIPELINE_OUTPUT_OUTSIDE: {
    message: "O que foi deixado para “{asset}” é um link para {folder}, que não é pasta desta tentativa",
    hint: "Faça o comando escrever os arquivos ali, ou copie-os: um link para outro lugar não é seguido.",
  },
  PIPELINE_DEFINITION_INVALID: {
    message: "Os arquivos do projeto têm erros:\n{text}",
    hint: "Corrija as linhas citadas e tente de novo.",
  },
  PIPELINE_PARTITIONS_ABSENT: {
    message: "O pipeline “{pipeline}” não tem partições.",
    hint: "Execute-o sem partição, ou declare algumas: partitions: { every: day, start: 2026-01-01 }.",
  },
  PIPELINE_PARTITION_MISSING: {
    message: "O pipeline “{pipeline}” é executado uma partição por vez, e nenhuma foi indicada.",
  },
  PIPELINE_PARTITION_UNKNOWN: { message: "O pipeline “{pipeline}” não tem a partição “{partition}”." },
  PIPELINE_PARTITION_NOT_OVER: {
    message: "A partição “{partition}” do pipeline “{pipeline}” ainda não terminou: termina em {endsAt}.",
  },
  PIPELINE_PARTITIONS_EMPTY: { message: "O pipeline “{pipeline}” não tem ali nenhuma partição terminada." },
  PIPELINE_PARTITIONS_TOO_MANY: {
    message: "O pipeline “{pipeline}” teria mais de {most} partições.",
    hint: "Indique um intervalo menor, um início mais tarde, uma unidade maior ou menos chaves.",
  },
  PIPELINE_PARTITION_KEYS_WRONG: {
    message: "As chaves do pipeline “{pipeline}” são os valores de “{column}” do dataset “{dataset}”: {problem}.",
    hint: "Indique uma coluna com poucos valores curtos, ou liste as chaves no arquivo do pipeline.",
  },
  PIPELINE_BACKFILL_UNKNOWN: {
    message: "Não existe o preenchimento {id}.",
    hint: "A lista de preenchimentos traz os seus ids.",
  },
  PIPELINE_BACKFILL_ENDED: {
    message: "O preenchimento {id} terminou: {status}.",
    hint: "O que falhou ou foi cancelado pode ser tentado de novo.",
  },
  PIPELINE_BACKFILL_EMPTY: {
    message: "Não há nada a fazer no pipeline “{pipeline}”: suas partições estão como o que existe agora as faz.",
    hint: "Todas podem ser pedidas assim mesmo.",
  },
  PIPELINE_BACKFILL_PARTITION_UNKNOWN: {
    message: "Nem todas falharam ou foram canceladas no preenchimento {id}: nenhuma foi tentada de novo.",
    hint: "A lista do próprio preenchimento diz o que aconteceu com cada partição.",
  },
  PIPELINE_UNKNOWN: {
    message: "Não existe o pipeline “{pipeline}”.",
    hint: "A página Pipelines mostra os que existem.",
  },
  PIPELINE_STEP_UNKNOWN: {
    message: "Não existe o passo “{step}”; existem: {steps}",
    hint: "Escolha um dos passos citados.",
  },
  PIPELINE_RUN_UNKNOWN: {
    message: "Não existe a execução de pipeline ou de passo {id} neste armazém.",
    hint: "A página Pipelines lista as execuções.",
  },
  PIPELINE_LOG_MALFORMED: {
    message: "Uma parte do log do passo não pode ser lida: {reason}",
    hint: "Um programa mais novo pode tê-la escrito; senão o armazém está danificado, e quem o administra procura o que mais está.",
  },
  PIPELINE_PARAM_UNKNOWN: {
    message: "O pipeline “{pipeline}” não tem o parâmetro “{param}”; tem: {params}",
    hint: "Use um parâmetro declarado no arquivo do pipeline.",
  },
  PIPELINE_PARAM_MISSING: {
    message: "O parâmetro “{param}” do pipeline “{pipeline}” não tem valor padrão e nenhum valor foi dado.",
    hint: "Preencha-o ao executar, ou declare um valor padrão.",
  },
  PIPELINE_PARAM_WRONG: {
    message: "O parâmetro “{param}” do pipeline “{pipeline}” é {found}; esperado: {expected}",
    hint: "Dê um valor do tipo declarado.",
  },
  PIPELINE_INPUT_MISSING: {
    message: "O passo “{step}” não pode começar: sua entrada “{input}” não tem versão.",
    hint: "Execute antes o passo que faz “{input}”.",
  },
  PIPELINE_SECRET_MISSING: {
    message: "O passo “{step}” precisa do segredo “{secret}”, que não está definido.",
    hint: "Defina-o no ambiente do servidor e inicie-o de novo.",
  },
  PIPELINE_SECRET_TOO_SHORT: {
    message: "O segredo “{secret}” do passo “{step}” tem menos de 8 caracteres: não poderia ser ocultado no log.",
    hint: "Use um segredo mais longo, ou ponha em env o que não é segredo.",
  },
  PIPELINE_OUTPUT_MISSING: {
    message: "O passo “{step}” não deu a saída “{output}”.",
    hint: 'Escreva-a no passo: echo "{output}=…" >> "$ESTEIRA_OUTPUT".',
  },
  PIPELINE_ITEMS_WRONG: {
    message: "for_each do passo “{step}” encontrou {found}; é preciso uma lista JSON.",
    hint: 'Dê uma lista como saída, por exemplo ["a","b"]; um item por linha é lido com { lines: … }.',
  },
  PIPELINE_ITEMS_TOO_MANY: {
    message: "for_each do passo “{step}” encontrou {found} itens; são permitidos no máximo {most}.",
    hint: "Faça cada item valer por vários: uma lista de arquivos, um intervalo.",
  },
  PIPELINE_ITEM_TOO_LARGE: {
    message:
      "for_each do passo “{step}”: o item {index} tem mais de {most} bytes, e nenhum processo poderia recebê-lo.",
    hint: "Ponha o que é grande em um arquivo ou ativo, e o nome dele no item.",
  },
  PIPELINE_PLACE_LOST: {
    message: "O executor “{executor}” perdeu o processo: {reason}.",
    hint: "O passo recomeça sozinho; se isso continuar, veja a máquina.",
  },
  PIPELINE_TAKEOVER_REFUSED: {
    message: "O que roda do passo “{step}” não é assumido: {reason}.",
    hint: "Ele é encerrado, e o passo recomeça.",
  },
  PIPELINE_EXECUTOR_UNKNOWN: {
    message: "O passo “{step}” roda no executor “{executor}”, que o projeto não tem.",
    hint: "Declare-o em executors no esteira.yaml, ou deixe o passo rodar em outro lugar.",
  },
  PIPELINE_RESOURCES_MISSING: {
    message: "O passo “{step}” pede {asked}, e um processo no executor “{executor}” tem no máximo {given}.",
    hint: "Peça menos, ou rode o passo em um executor que tenha tanto.",
  },
  PIPELINE_LIMIT_EXCEEDED: {
    message: "O passo “{step}” foi encerrado: passou do limite “{limit}”.",
    hint: "Faça com que ele use menos, ou aumente o limite no passo ou em esteira.yaml.",
  },
  PIPELINE_FILE_OUTSIDE: {
    message: "{file} leva a {target}, que não é arquivo do projeto: não é lido.",
    hint: "Ponha o próprio arquivo onde está o link.",
  },
  PIPELINE_STEP_TIMED_OUT: {
    message: "O passo “{step}” passou do seu limite de tempo; seus processos foram encerrados.",
    hint: "Aumente timeout no passo, ou torne-o mais rápido.",
  },
  PIPELINE_WORKER_LOST: {
    message: "O passo “{step}” perdeu seu motor {losses} vezes; não será tentado de novo.",
    hint: "Ele consome toda a memória, ou encerra o próprio motor? Veja o log do passo e depois retome a execução.",
  },
  PIPELINE_STEP_FAILED: { message: "O passo “{step}” falhou: {reason}", hint: "O log do passo diz mais." },
  PIPELINE_COMMAND_FAILED: {
    message: "O comando do passo “{step}” falhou ({ending}); disse por último: {tail}",
    hint: "O log do passo diz mais.",
  },
  PIPELINE_RESUME_CHANGED: {
    message: "A execução {id} não pode seguir com a nova definição de “{pipeline}”: {change}",
    hint: "Inicie uma nova execução; o que não mudou é reaproveitado.",
  },
  PIPELINE_KIND_UNKNOWN: {
    message: "O passo “{step}” é do tipo “{kind}”, que este programa não tem.",
    hint: "A execução foi posta na fila por outra versão do programa.",
  },
  EXECUTORS_SANDBOX_UNAVAILABLE: {
    message: "{requiredBy} exige um sandbox, mas nenhum pode ser feito aqui: {reason}",
    hint: "Permita-o neste sistema, ou mude a exigência no ambiente.",
  },
  EXECUTORS_ISOLATION_UNAVAILABLE: {
    message: "{requiredBy} exige o isolamento “{level}”, mas esta máquina não o consegue: {reason}",
    hint: "Níveis, do mais fraco ao mais forte: {levels}. Instale o bubblewrap ou exija menos.",
  },
  EXECUTORS_COMMAND_MISSING: {
    message: "O comando “{command}” não foi encontrado; procurado em: {searched}",
    hint: "Confira a grafia, instale-o, ou escreva seu caminho.",
  },
  EXECUTORS_FOLDER_UNUSABLE: {
    message: "Não é possível iniciar um processo em {folder}: {reason}",
    hint: "Confira se a pasta existe e se este usuário pode entrar nela.",
  },
  EXECUTORS_START_FAILED: {
    message: "O processo “{command}” não pôde ser iniciado: {reason}",
    hint: "Tente de novo; o sistema pode estar sem processos, arquivos ou memória.",
  },
  EXECUTORS_REPORT_MISSING: {
    message: "O comando do passo “{step}” não deixou relatório em {report}.",
    hint: "O caminho está certo? Ele é relativo ao projeto.",
  },
  EXECUTORS_OUTPUT_FOLDER_MISSING: {
    message: "O passo “{step}” faz “{asset}” da pasta {folder}, mas seu comando não deixou nada lá.",
    hint: "Deixe o comando escrever lá, ou corrija a pasta em makes.",
  },
  DELIVERY_ENVIRONMENT_UNKNOWN: {
    message: "Não existe o ambiente “{environment}”.",
    hint: "Acrescente-o a environments em esteira.yaml.",
  },
  DELIVERY_ASSET_NOT_DEPLOYABLE: { message: "“{asset}” é {kind}; só código e modelos podem ser implantados." },
  DELIVERY_ISOLATION_TOO_WEAK: {
    message:
      "{asset} {version} não pode ser implantado em {environment}, que exige o isolamento “{required}”: {made} foi feito com “{level}” ou sem registro.",
    hint: "Faça de novo onde a máquina consegue o que é exigido: instale o bubblewrap.",
  },
  DELIVERY_VERSION_MISSING: {
    message: "“{asset}” não tem versão que possa ser implantada.",
    hint: "Execute antes o passo que o faz.",
  },
  DELIVERY_NOT_APPROVED: {
    message: "{asset} {version} não pode ser implantado em {environment}: {reason}",
    hint: "Faça outra versão, ou peça que a recusa seja revogada; a página Aprovações mostra as decisões.",
  },
  DELIVERY_COMMAND_MISSING: {
    message: "Nada diz como iniciar “{asset}”.",
    hint: "Acrescente start ao passo; o programa deve escutar em $HOST:$PORT.",
  },
  DELIVERY_NOTHING_DEPLOYED: {
    message: "Nada chamado “{asset}” está implantado em {environment}.",
    hint: "Implante-o antes.",
  },
  DELIVERY_ENVIRONMENT_EMPTY: {
    message: "Não há nada implantado em {environment}.",
    hint: "Implante algo ali antes.",
  },
  DELIVERY_STATE_MISSING: {
    message:
      "Não há estado anterior de {environment} ao qual voltar ({state}): nada do que roda ali rodava noutra versão.",
    hint: "Indique um momento, como 2026-11-28T14:00:00Z, ou o id de um release que rodou ali.",
  },
  DELIVERY_RELEASE_UNKNOWN: {
    message: "Não existe release nem ambiente “{side}”; os ambientes são {environments}.",
    hint: "Use o id de um release da lista.",
  },
  DELIVERY_RELEASE_MISSING: {
    message: "Não há entrega de “{asset}” em {environment} para a qual voltar.",
    hint: "A página Entregas lista as que já rodaram lá.",
  },
  DELIVERY_WEBHOOK_CLOSED: {
    message: "O webhook “{webhook}” não aceita chamadas: o servidor não tem segredo para ele.",
    hint: "Inicie o servidor com o segredo definido.",
  },
  GOVERNANCE_AUTHOR_CANNOT_APPROVE: {
    message: "{actor} participou de {subject} e não pode aprová-lo (feito por {authors}).",
    hint: "Peça a outra pessoa que revise.",
  },
  GOVERNANCE_REVIEWER_REQUIRED: {
    message: "{actor} não pode aprovar no projeto {project}: isso exige o papel de revisor.",
    hint: "Quem administra o projeto pode dar esse papel.",
  },
  GOVERNANCE_SUBJECT_UNKNOWN: {
    message: "O projeto {project} não conhece nada com o digest {digest}.",
    hint: "Aprove um digest da página Aprovações; qualquer mudança do conteúdo dá outro digest.",
  },
  GOVERNANCE_APPROVAL_MISSING: {
    message: "Não há aprovação {id} em vigor.",
    hint: "A página Aprovações lista as que há.",
  },
  GOVERNANCE_REVOCATION_DENIED: {
    message: "{actor} não pode revogar a aprovação {id}, dada por {by}.",
    hint: "Só quem a deu, ou quem administra, pode revogá-la.",
  },
  GOVERNANCE_SIGNATURE_NEEDED: {
    message: "As aprovações para {environment} são assinadas, e esta não é.",
    hint: "Quem revisa e tem uma chave aprova pela linha de comando; o guia de aprovações diz como.",
  },
  GOVERNANCE_SIGNATURE_INVALID: {
    message: "A decisão assinada não vale: {problem}.",
    hint: "Veja o que espera agora, e assine isso.",
  },
  GOVERNANCE_EXPIRY_INVALID: {
    message: "Uma aprovação não pode terminar em um momento que já passou, nem antes de outra sua que ainda vale.",
  },
  GOVERNANCE_RULES_UNKNOWN: {
    message: "Não há regras de um ambiente “{environment}”.",
    hint: "A página Lançamentos lista os ambientes.",
  },
  GOVERNANCE_RECIPE_UNKNOWN: { message: "“{asset}” não tem receita {wanted}." },
  GOVERNANCE_KEY_INVALID: {
    message: "A chave não pode ser registrada: {problem}.",
    hint: "O guia de aprovações diz como se cria uma chave.",
  },
  GOVERNANCE_KEY_UNPROVEN: {
    message: "A prova não mostra que {user} tem a chave privada.",
    hint: "A prova é uma assinatura do texto que nomeia a pessoa e a chave.",
  },
  GOVERNANCE_KEY_MISSING: { message: "Não há chave {id} em vigor.", hint: "Talvez tenha sido revogada antes." },
  GOVERNANCE_KEY_REVOCATION_DENIED: {
    message: "{actor} não pode revogar a chave {id}, de {user}.",
    hint: "Só quem a tem, ou quem administra todos os projetos, pode.",
  },
  GOVERNANCE_TRACE_UNKNOWN: {
    message: "Não existe {kind} {id}.",
    hint: "O identificador pode estar errado, ou o que ele nomeia foi removido.",
  },
  ACCESS_UNAUTHENTICATED: {
    message: "O pedido não foi identificado: {reason}",
    hint: "Entre com um token, ao pé da barra lateral.",
  },
  ACCESS_DENIED: {
    message: "{name} não pode fazer isto no projeto {project}: exige o papel {needed}.",
    hint: "Quem administra o projeto pode dar esse papel.",
  },
  DATA_QUERY_FAILED: { message: "A consulta falhou: {reason}", hint: "Corrija o SQL no lugar indicado." },
  DATA_QUERY_CANCELLED: { message: "A consulta foi cancelada antes de terminar." },
  DATA_MEMORY_EXHAUSTED: {
    message: "A consulta precisa de mais memória do que pode usar: {reason}",
    hint: "Leia menos linhas ou colunas, ou faça em mais passos.",
  },
  DATA_TABLE_MISSING: {
    message: "Não há tabela Delta em {table}.",
    hint: "O armazém aponta para a pasta dos datasets?",
  },
  PIPELINE_RETRY_NOTHING: {
    message: "Nada do que foi nomeado na execução {id} falhou, foi cancelado ou deixado de fora.",
    hint: "O que deu certo permanece. Inicie uma nova execução para fazê-lo de novo.",
  },
  DATA_VERSION_EXPIRED: {
    message: "As linhas da versão {version} de {dataset} não são mais guardadas.",
    hint: "Leia a última versão, ou traga as linhas de volta de uma cópia de segurança. `retention.versions` diz por quanto tempo são guardadas.",
  },
  DATA_TABLE_CORRUPT: {
    message: "A tabela Delta {table} não pode ser lida: {reason}",
    hint: "Restaure de uma cópia o arquivo de _delta_log que falta ou está danificado.",
  },
  DATA_WRITE_CONFLICT: {
    message: "Outro processo mudou {table} antes: {conflict}",
    hint: "Execute o passo de novo: ele lê a nova versão.",
  },
  DATA_INTERVAL_TIME_MISSING: {
    message: "{rows} novas linhas de {dataset} não têm valor em {column}; não pertencem a nenhum intervalo.",
    hint: "Dê um {column} a cada linha na consulta, ou deixe essas linhas de fora: WHERE {column} IS NOT NULL.",
  },
  DATA_TREATMENT_SECRET_UNFIT: {
    message: "O contrato aplica um hash com o segredo {secret}, que não está definido ou é curto demais.",
    hint: "Defina o segredo no ambiente do esteira, com pelo menos 16 caracteres, e inicie-o de novo.",
  },
  DATA_UNIT_TESTS_FAILED: {
    message: "Testes unitários de {step} falham ({failed} de {total}), por isso ele não foi calculado: {text}",
    hint: "Corrija a consulta, ou as linhas que os testes esperam.",
  },
  DATA_UNIT_TESTS_INVALID: {
    message: "Os testes unitários de {step} não podem ser executados: {problems}",
    hint: "Corrija o arquivo dos testes no lugar indicado.",
  },
  DATA_RESTATEMENT_INVALID: {
    message: "{dataset} não pode ser preenchido de novo: {reason}",
    hint: "Nomeie um início, um fim (fora do período) ou tudo.",
  },
  DATA_DATASET_NOT_INCREMENTAL: {
    message: "{dataset} não tem intervalos a preencher de novo: nenhum passo sql com incremental o faz.",
    hint: "Uma execução o faz de novo onde suas entradas, sua consulta ou seus arquivos mudaram.",
  },
  DATA_SCHEMA_CONFLICT: {
    message: "A coluna “{column}” de {table} é {expected}, mas as novas linhas trazem {found}.",
    hint: "Converta-a, ou grave o dataset com write: replace.",
  },
  DATA_COLUMN_UNSUPPORTED: {
    message: "A coluna “{column}” não pode ser guardada: {reason}",
    hint: "Dê outro nome com AS, ou converta-a.",
  },
  DATA_COLUMN_UNKNOWN: {
    message: "O dataset {dataset} não tem a coluna “{column}”; tem: {columns}",
    hint: "Escolha uma das suas colunas.",
  },
  DATA_MERGE_KEY_INVALID: {
    message: "As linhas não podem ser fundidas em {table}: {problem}",
    hint: "Torne a chave única na consulta, ou nomeie mais colunas em merge.",
  },
  DATA_DATASET_BUSY: {
    message: "Outra tentativa está gravando o dataset {asset}.",
    hint: "Tente de novo quando ela terminar.",
  },
  DATA_WRITE_LOST: {
    message: "As linhas gravadas no dataset {asset} foram recolhidas; nada foi publicado.",
    hint: "Execute o passo de novo.",
  },
  DATA_STORAGE_FAILED: {
    message: "Falha de armazenamento em {path}: {reason}; nada foi publicado.",
    hint: "Confira o espaço em disco e as permissões da pasta, e execute de novo.",
  },
  DATA_CAPTURE_FOLDER_REFUSED: {
    message: "A pasta {folder} fica fora do projeto e não está entre as que as capturas podem ler.",
    hint: "Nomeie-a em capture.folders no esteira.yaml.",
  },
  DATA_CAPTURE_FILES_MISSING: {
    message: "Nenhum arquivo em {folder} corresponde a {patterns}, e o dataset ainda não tem versão.",
    hint: "Confira o padrão em capture.files.",
  },
  DATA_CONTRACT_BROKEN: {
    message: "O dataset {dataset} não foi publicado: {problems}",
    hint: "Corrija a fonte, ou mude de propósito o contrato ou os limites da quarentena.",
  },
  DATA_CONTRACT_INVALID: { message: "O contrato não é válido: {problems}" },
  DATA_ROWS_LOST: {
    message:
      "{read} linhas foram lidas de {dataset}, mas {published} publicadas e {quarantined} em quarentena não somam; nada foi publicado.",
    hint: "Um arquivo mudou durante a leitura? Execute o passo de novo.",
  },
  DATA_QUARANTINE_MISSING: {
    message: "Não existe o lote de quarentena {batch}.",
    hint: "A aba Quarentena do dataset lista os que existem.",
  },
  DATA_DASHBOARD_INVALID: { message: "O painel não é válido: {problems}" },
  DATA_SQL_INVALID: { message: "{file}: {problems}", hint: "Uma transformação é um só SELECT sobre datasets." },
  DATA_OUTPUT_UNREADABLE: {
    message: "A saída do passo para o dataset {asset} não pode ser aceita: {problem}",
    hint: "Escreva arquivos Parquet, CSV ou NDJSON.",
  },
  DATA_DASHBOARD_MISSING: {
    message: "Não há versão do painel {dashboard}.",
    hint: "Execute o pipeline que o publica.",
  },
  DATA_DATASET_MISSING: {
    message: "Não existe o dataset {dataset}.",
    hint: "A página Datasets lista os que existem; um aparece quando o passo que o faz foi executado.",
  },
  DATA_DATASET_UNKNOWN: {
    message: "Linha {line}, coluna {column}: não existe o dataset {dataset}.",
    hint: "A página Datasets lista os que existem.",
  },
  DATA_CAPTURE_EMPTY: {
    message: "Nada foi publicado no dataset {dataset}: {problems}",
    hint: "A aba Quarentena do dataset mostra o que foi retido. O arquivo está em outra codificação? Diga: csv: { encoding: latin-1 }. Se uma execução sem linhas está certa, use allow_empty: true em capture.",
  },
  DATA_SOURCE_ROWS_UNKNOWN: {
    hint: "Uma fusão ou outra ferramenta reescreveu a tabela: todos os arquivos precisam ser lidos de novo, numa só versão.",
  },
  MODELS_DESCRIPTION_INVALID: {
    message: "{file} do modelo “{asset}” não é válido: {problems}",
    hint: "Grave o modelo com esteira.save_model: ela escreve model.json.",
  },
  MODELS_FILE_MISSING: {
    message: "O modelo “{asset}” não tem o arquivo {file}.",
    hint: "Grave o modelo com esteira.save_model.",
  },
  OUTBOX_SECRET_UNREADABLE: {
    message: "Um segredo foi selado com a chave {key}, que não está aqui.",
    hint: "Traga a chave de volta, ou defina o segredo outra vez.",
  },
  OUTBOX_SECRET_KEY_MISSING: {
    message: "Não há lugar para a chave que sela segredos: {reason}.",
    hint: "Defina ESTEIRA_SECRETS_KEY com 32 bytes aleatórios em base64.",
  },
  OUTBOX_SECRET_KEY_INVALID: {
    message: "As chaves de {from} não podem ser usadas: {problem}.",
    hint: "Cada chave são 32 bytes aleatórios em base64, só do seu dono.",
  },
  MODELS_NOT_SAVED: {
    message: "O passo “{asset}” não deixou modelo: nem na pasta de saída, nem na run do MLflow com o seu nome.",
    hint: 'Grave o modelo com esteira.save_model, ou registre-o com log_model(…, name="{asset}").',
  },
  MODELS_VERSION_NOT_MODEL: { message: "A versão {version} de “{asset}” é {kind}, não um modelo." },
  MODELS_VERSION_MISSING: {
    message: "Não existe {version} do modelo “{asset}”.",
    hint: "A página Modelos lista as versões.",
  },
  MODELS_SAMPLE_EMPTY: {
    message: "{where}: não há linhas para calcular uma métrica.",
    hint: "Confira os dados de teste: a divisão deixa linhas, e o rótulo tem valores?",
  },
  MODELS_METRIC_UNDEFINED: { message: "{metric} não pode ser calculada: {reason}" },
  MODELS_TEST_DATA_MISSING: {
    message: "O modelo “{model}” versão {version} não pode ser testado: {reason}",
    hint: "Nomeie os dados de teste no passo: data: DATASET",
  },
  MODELS_COLUMN_MISSING: {
    message: "Os dados de teste “{dataset}” não têm a coluna “{column}”; têm: {columns}",
    hint: "As entradas do modelo e seu rótulo precisam ser colunas dos dados de teste.",
  },
  NOTEBOOKS_FILE_INVALID: {
    message: "{file} não é um notebook: {found}",
    hint: "Abra-o no Jupyter e grave-o de novo.",
  },
  NOTEBOOKS_PARAMETERS_REFUSED: {
    message: "Os parâmetros de {file} não são os que ele declara: {problems}",
    hint: "Corrija params no passo, ou a célula marcada “parameters”.",
  },
  NOTEBOOKS_KERNEL_START_FAILED: {
    message: "O kernel de {file} não iniciou: {reason}",
    hint: "O log do passo tem as palavras do próprio kernel.",
  },
  NOTEBOOKS_KERNEL_DIED: {
    message: "O kernel de {file} morreu em {cell}: {exit}",
    hint: "Em geral faltou memória: use uma amostra, ou uma máquina maior.",
  },
  NOTEBOOKS_CELL_FAILED: {
    message: "{file}:{line}: {cell} lançou {errorName}: {errorValue}",
    hint: "O rastreio está no log do passo e no notebook executado, que fica guardado.",
  },
  NOTEBOOKS_CELL_TIMED_OUT: {
    message: "{cell} de {file} rodou mais de {seconds} s e foi interrompida.",
    hint: "Aumente cell_timeout do passo, ou faça a célula fazer menos.",
  },
  NOTEBOOKS_EXECUTION_STOPPED: { message: "{file} foi parado em {cell}." },
  FEATURES_DEFINITIONS_INVALID: {
    message: "As definições de features têm erros: {problems}",
    hint: "Corrija os arquivos em features/.",
  },
  FEATURES_COLUMN_MISSING: {
    message: "O dataset “{dataset}” não tem a coluna “{column}” ({part}).",
    hint: "As colunas que ele tem: {columns}",
  },
  FEATURES_SPLIT_EMPTY: {
    message:
      "Dividir “{spine}” ({rows} linhas) em {cutoff} dá {train} linhas de treino e {test} de teste; ambos precisam de algumas.",
    hint: "Mude split.test ou split.from, ou capture um período maior.",
  },
};

/** What the server calls a thing in English, in Portuguese. */
export const termsPtBr: Readonly<Record<string, string>> = {
  dataset: "o dataset",
  model: "o modelo",
  "pipeline run": "a execução de pipeline",
  "step run": "a execução de passo",
  endpoint: "o endpoint",
  prediction: "a predição",
  alert: "o alerta",
  notebook: "o notebook",
  dashboard: "o painel",
  version: "a versão",
  release: "a entrega",
  code: "código",
  data: "um dataset",
};
